// CUDA's status codes as exceptions, with the call that failed.
#pragma once

#include <cuda_runtime_api.h>
#include <stdexcept>
#include <string>

namespace trtflow
{

inline void check(cudaError_t status, char const* what)
{
    if (status != cudaSuccess)
    {
        throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
    }
}

} // namespace trtflow
