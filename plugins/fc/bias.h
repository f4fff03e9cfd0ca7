#pragma once

#include <cstdint>
#include <cuda_runtime_api.h>

namespace trtflow
{

//! Add bias [columns] to every row of values [rows, columns], in place; float16 when half, else float32.
void addBias(void* values, void const* bias, int64_t rows, int32_t columns, bool half, cudaStream_t stream);

} // namespace trtflow
