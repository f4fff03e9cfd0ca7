// FCPlugin: the fully connected layer of guide chapters 10 and 21, a GEMM of cuBLAS and a bias that cuDNN adds.
#include "bias.h"
#include "cuda_check.h"
#include "handles.h"
#include "plugin.h"

#include <algorithm>
#include <cuda_fp16.h>
#include <memory>
#include <vector>

namespace trtflow
{
namespace
{

constexpr float kLARGEST_HALF = 65504.F;

#if TRTFLOW_CUDNN
//! A tensor [rows, columns, 1, 1] in cuDNN's words.
class Descriptor
{
public:
    Descriptor(int32_t rows, int32_t columns, bool half)
    {
        auto const type = half ? CUDNN_DATA_HALF : CUDNN_DATA_FLOAT;
        if (cudnnCreateTensorDescriptor(&mDescriptor) != CUDNN_STATUS_SUCCESS
            || cudnnSetTensor4dDescriptor(mDescriptor, CUDNN_TENSOR_NCHW, type, rows, columns, 1, 1)
                != CUDNN_STATUS_SUCCESS)
        {
            throw std::runtime_error("cuDNN refuses the output's shape");
        }
    }

    Descriptor(Descriptor const&) = delete;
    Descriptor& operator=(Descriptor const&) = delete;

    ~Descriptor()
    {
        cudnnDestroyTensorDescriptor(mDescriptor);
    }

    operator cudnnTensorDescriptor_t() const
    {
        return mDescriptor;
    }

private:
    cudnnTensorDescriptor_t mDescriptor{};
};
#endif

//! Numbers in the type that a plugin runs in, as raw bytes. Half precision is clipped to its range, as in TensorRT.
std::vector<char> converted(std::vector<float> const& values, nvinfer1::DataType type)
{
    std::vector<char> bytes(values.size() * sizeOf(type));
    if (type == nvinfer1::DataType::kFLOAT)
    {
        std::copy_n(reinterpret_cast<char const*>(values.data()), bytes.size(), bytes.data());
        return bytes;
    }
    auto* halves = reinterpret_cast<__half*>(bytes.data());
    std::transform(values.begin(), values.end(), halves,
        [](float value) { return __float2half_rn(std::clamp(value, -kLARGEST_HALF, kLARGEST_HALF)); });
    return bytes;
}

std::vector<float> restored(char const* data, int64_t count, nvinfer1::DataType type)
{
    std::vector<float> values(count);
    for (int64_t index = 0; index < count; ++index)
    {
        char const* element = data + index * sizeOf(type);
        if (type == nvinfer1::DataType::kFLOAT)
        {
            std::memcpy(&values[index], element, sizeof(float));
            continue;
        }
        __half half;
        std::memcpy(&half, element, sizeof(half));
        values[index] = __half2float(half);
    }
    return values;
}

//! Weights on the device; freed with the last plugin that uses them.
class DeviceArray
{
public:
    explicit DeviceArray(std::vector<char> const& bytes)
    {
        if (!bytes.empty())
        {
            check(cudaMalloc(&mData, bytes.size()), "memory for weights");
            check(cudaMemcpy(mData, bytes.data(), bytes.size(), cudaMemcpyHostToDevice), "copy of weights");
        }
    }

    DeviceArray(DeviceArray const&) = delete;
    DeviceArray& operator=(DeviceArray const&) = delete;

    ~DeviceArray()
    {
        cudaFree(mData);
    }

    void const* data() const
    {
        return mData;
    }

private:
    void* mData{};
};

struct HostWeights
{
    std::vector<float> kernel; // [outputs, inputs]
    std::vector<float> bias;   // [outputs], or empty
};

struct DeviceWeights
{
    DeviceArray kernel;
    DeviceArray bias;
    nvinfer1::DataType type;
};

} // namespace

//! Serialised, in the guide's order (section 10.4): input channels int32, output channels int32, number of biases int64,
//! dtype int32, kernel, bias; the weights in that dtype.
class FCPlugin : public Plugin<FCPlugin>
{
public:
    static constexpr char const* kType = "FCPlugin";

    FCPlugin(int32_t outputs, std::vector<float> kernel, std::vector<float> bias)
        : mOutputs(outputs)
        , mHost(std::make_shared<HostWeights>(HostWeights{std::move(kernel), std::move(bias)}))
    {
        auto const count = static_cast<int64_t>(mHost->kernel.size());
        if (outputs < 1 || count == 0 || count % outputs != 0)
        {
            throw std::runtime_error("the kernel has " + std::to_string(count) + " weights, not a multiple of "
                + std::to_string(outputs) + " outputs");
        }
        checkBias();
        mInputs = static_cast<int32_t>(count / outputs);
    }

    explicit FCPlugin(Reader& reader)
    {
        mInputs = reader.get<int32_t>();
        mOutputs = reader.get<int32_t>();
        auto const biases = reader.get<int64_t>();
        mType = reader.get<nvinfer1::DataType>();
        if (mInputs < 1 || mOutputs < 1 || biases < 0 || !supportsFormat(mType, nvinfer1::PluginFormat::kLINEAR))
        {
            throw std::runtime_error("not a serialised FCPlugin. Build the engine again.");
        }
        int64_t const weights = static_cast<int64_t>(mInputs) * mOutputs;
        char const* kernel = reader.take(weights * sizeOf(mType));
        char const* bias = reader.take(biases * sizeOf(mType));
        mHost = std::make_shared<HostWeights>(
            HostWeights{restored(kernel, weights, mType), restored(bias, biases, mType)});
        checkBias();
    }

    static FCPlugin* fromFields(Fields const& fields)
    {
        auto const outputs = static_cast<int32_t>(fields.number("outputs"));
        auto bias = fields.has("bias") ? fields.numbers("bias") : std::vector<float>{};
        return new FCPlugin(outputs, fields.numbers("kernel"), std::move(bias));
    }

    static nvinfer1::PluginFieldCollection const* fieldNames()
    {
        static nvinfer1::PluginField const fields[] = {
            {"outputs", nullptr, nvinfer1::PluginFieldType::kINT32, 1},
            {"kernel", nullptr, nvinfer1::PluginFieldType::kFLOAT32, 1},
            {"bias", nullptr, nvinfer1::PluginFieldType::kFLOAT32, 1},
        };
        static nvinfer1::PluginFieldCollection const collection{3, fields};
        return &collection;
    }

    //! Weights go to the device in the type that the builder tries or chose.
    int32_t initialize() noexcept override
    {
        return guarded([&] { upload(); }) ? 0 : -1;
    }

    void terminate() noexcept override
    {
        mDevice.reset();
    }

    void attachToContext(cudnnContext* cudnn, cublasContext* cublas, nvinfer1::IGpuAllocator*) noexcept override
    {
        guarded([&] {
            mCublas.lend(cublas);
            mCublas.get(); // here rather than in enqueue, which a CUDA graph may capture
#if TRTFLOW_CUDNN
            mCudnn.lend(cudnn);
            mCudnn.get();
#else
            static_cast<void>(cudnn);
#endif
        });
    }

    void detachFromContext() noexcept override
    {
        mCublas.release();
#if TRTFLOW_CUDNN
        mCudnn.release();
#endif
    }

protected:
    //! C, H, W become outputs, 1, 1. An explicit batch is refused: the guide's serialised form has no place for it.
    nvinfer1::Dims outputDimensions(nvinfer1::Dims const* inputs, int32_t nbInputs) const override
    {
        if (nbInputs != 1 || inputs[0].nbDims != 3 || volume(inputs[0]) != mInputs)
        {
            throw std::runtime_error("takes one input C, H, W of " + std::to_string(mInputs)
                + " values, in a network with an implicit batch");
        }
        return nvinfer1::Dims3{mOutputs, 1, 1};
    }

    void configure(nvinfer1::Dims const*, int32_t) override {}

    void run(int32_t batchSize, void const* const* inputs, void* output, cudaStream_t stream) override
    {
        upload();
        multiply(batchSize, inputs[0], output, stream);
        if (!mHost->bias.empty())
        {
            addBiasTo(batchSize, output, stream);
        }
    }

    void write(Writer& writer) const override
    {
        writer.put(mInputs);
        writer.put(mOutputs);
        writer.put(static_cast<int64_t>(mHost->bias.size()));
        writer.put(mType);
        for (auto const* weights : {&mHost->kernel, &mHost->bias})
        {
            std::vector<char> const bytes = converted(*weights, mType);
            writer.put(bytes.data(), bytes.size());
        }
    }

private:
    void checkBias() const
    {
        size_t const biases = mHost->bias.size();
        if (biases != 0 && biases != static_cast<size_t>(mOutputs))
        {
            throw std::runtime_error(
                "the bias has " + std::to_string(biases) + " weights for " + std::to_string(mOutputs) + " outputs");
        }
    }

    bool half() const
    {
        return mType == nvinfer1::DataType::kHALF;
    }

    void upload()
    {
        if (mDevice == nullptr || mDevice->type != mType)
        {
            mDevice.reset(new DeviceWeights{
                DeviceArray(converted(mHost->kernel, mType)), DeviceArray(converted(mHost->bias, mType)), mType});
        }
    }

    //! output [rows, outputs] = input [rows, inputs] * kernel [outputs, inputs]^T. To cuBLAS, which counts columns first,
    //! that is kernel^T * input. Products of float16 are summed in float32; float32 never goes through TF32.
    void multiply(int32_t rows, void const* input, void* output, cudaStream_t stream)
    {
        cublasHandle_t const handle = mCublas.get();
        float const one = 1.F;
        float const zero = 0.F;
        cudaDataType_t const type = half() ? CUDA_R_16F : CUDA_R_32F;
        auto const compute = half() ? CUBLAS_COMPUTE_32F : CUBLAS_COMPUTE_32F_PEDANTIC;
        if (cublasSetStream(handle, stream) != CUBLAS_STATUS_SUCCESS
            || cublasGemmEx(handle, CUBLAS_OP_T, CUBLAS_OP_N, mOutputs, rows, mInputs, &one,
                   mDevice->kernel.data(), type, mInputs, input, type, mInputs, &zero, output, type, mOutputs, compute,
                   CUBLAS_GEMM_DEFAULT)
                != CUBLAS_STATUS_SUCCESS)
        {
            throw std::runtime_error("cuBLAS could not multiply");
        }
    }

    void addBiasTo(int32_t rows, void* output, cudaStream_t stream)
    {
#if TRTFLOW_CUDNN
        cudnnHandle_t const handle = mCudnn.get();
        float const one = 1.F;
        if (cudnnSetStream(handle, stream) != CUDNN_STATUS_SUCCESS
            || cudnnAddTensor(handle, &one, Descriptor(1, mOutputs, half()), mDevice->bias.data(), &one,
                   Descriptor(rows, mOutputs, half()), output)
                != CUDNN_STATUS_SUCCESS)
        {
            throw std::runtime_error("cuDNN could not add the bias");
        }
#else
        addBias(output, mDevice->bias.data(), rows, mOutputs, half(), stream);
#endif
    }

    int32_t mInputs{};
    int32_t mOutputs{};
    std::shared_ptr<HostWeights const> mHost;      // shared by clones
    std::shared_ptr<DeviceWeights const> mDevice; // shared by the contexts of an engine
    Cublas mCublas;
#if TRTFLOW_CUDNN
    Cudnn mCudnn;
#endif
};

using FCPluginCreator = Creator<FCPlugin>;
REGISTER_TENSORRT_PLUGIN(FCPluginCreator);

} // namespace trtflow
