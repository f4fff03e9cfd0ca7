// The bias where cuDNN is not there to add it.
#include "bias.h"

#include "cuda_check.h"

#include <algorithm>
#include <cuda_fp16.h>

namespace trtflow
{
namespace
{

constexpr int32_t kTHREADS = 256;
constexpr int64_t kMOST_BLOCKS = 1 << 16;

template <typename T>
__global__ void add(T* values, T const* bias, int64_t count, int32_t columns)
{
    int64_t const stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
    for (int64_t index = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; index < count; index += stride)
    {
        values[index] = static_cast<T>(static_cast<float>(values[index]) + static_cast<float>(bias[index % columns]));
    }
}

template <typename T>
void launch(void* values, void const* bias, int64_t count, int32_t columns, cudaStream_t stream)
{
    auto const blocks = static_cast<int32_t>(std::min((count + kTHREADS - 1) / kTHREADS, kMOST_BLOCKS));
    add<T><<<blocks, kTHREADS, 0, stream>>>(static_cast<T*>(values), static_cast<T const*>(bias), count, columns);
}

} // namespace

void addBias(void* values, void const* bias, int64_t rows, int32_t columns, bool half, cudaStream_t stream)
{
    auto const run = half ? launch<__half> : launch<float>;
    run(values, bias, rows * columns, columns, stream);
    check(cudaGetLastError(), "bias kernel");
}

} // namespace trtflow
