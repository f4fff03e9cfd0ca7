// cuBLAS and cuDNN handles: TensorRT's where it lends them to a context, else our own.
#pragma once

#include <cublas_v2.h>
#include <stdexcept>
#if TRTFLOW_CUDNN
#include <cudnn.h>
#endif

namespace trtflow
{

//! A handle of one context. A copy starts without one: two contexts that share a handle could not run at once.
template <typename T, auto create, auto destroy>
class Handle
{
public:
    Handle() = default;
    Handle(Handle const&) {}
    Handle& operator=(Handle const&) = delete;

    ~Handle()
    {
        release();
    }

    void lend(T handle)
    {
        release();
        mHandle = handle;
    }

    //! The handle, made now if there is none.
    T get()
    {
        if (mHandle == nullptr)
        {
            if (static_cast<int>(create(&mHandle)) != 0)
            {
                mHandle = nullptr;
                throw std::runtime_error("cannot create a handle of cuBLAS or cuDNN");
            }
            mOwned = true;
        }
        return mHandle;
    }

    void release()
    {
        if (mOwned)
        {
            destroy(mHandle);
        }
        mHandle = nullptr;
        mOwned = false;
    }

private:
    T mHandle{};
    bool mOwned{false};
};

using Cublas = Handle<cublasHandle_t, cublasCreate, cublasDestroy>;
#if TRTFLOW_CUDNN
using Cudnn = Handle<cudnnHandle_t, cudnnCreate, cudnnDestroy>;
#endif

} // namespace trtflow
