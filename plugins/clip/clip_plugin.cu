// CustomClipPlugin: min(max(x, clipMin), clipMax), the clip layer of guide chapter 22.
#include "cuda_check.h"
#include "plugin.h"

#include <algorithm>
#include <cuda_fp16.h>

namespace trtflow
{
namespace
{

constexpr int32_t kTHREADS = 256;
constexpr int64_t kMOST_BLOCKS = 1 << 16;

// NaN passes, as it does through NumPy's clip.
__device__ float clipped(float x, float low, float high)
{
    return x < low ? low : (x > high ? high : x);
}

// Two at a time: one by one, in float, took more time than reading and writing them does.
__device__ __half2 clipped(__half2 x, __half2 low, __half2 high)
{
    return __hmin2_nan(__hmax2_nan(x, low), high);
}

__device__ __half clipped(__half x, __half low, __half high)
{
    return __low2half(clipped(__half2half2(x), __half2half2(low), __half2half2(high)));
}

//! What a kernel clips at once, and a limit in that form. A limit that half precision rounds is met by no value between.
template <typename T>
struct Lane
{
    using Type = T;
    static __device__ T of(float limit)
    {
        return limit;
    }
};

template <>
struct Lane<__half>
{
    using Type = __half2;
    static __device__ __half2 of(float limit)
    {
        return __float2half2_rn(limit);
    }
};

//! 16 bytes at a time: the kernel does nothing but read and write memory.
template <typename T>
union Pack
{
    uint4 bits;
    T values[sizeof(uint4) / sizeof(T)];

    __device__ Pack() {}
};

template <typename T>
__global__ void clipPacks(uint4 const* input, uint4* output, int64_t packs, float low, float high)
{
    using L = typename Lane<T>::Type;
    L const least = Lane<T>::of(low);
    L const most = Lane<T>::of(high);
    int64_t const stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
    for (int64_t index = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; index < packs; index += stride)
    {
        Pack<L> pack;
        pack.bits = input[index];
#pragma unroll
        for (L& value : pack.values)
        {
            value = clipped(value, least, most);
        }
        output[index] = pack.bits;
    }
}

template <typename T>
__global__ void clipValues(T const* input, T* output, int64_t count, float low, float high)
{
    int64_t const stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
    for (int64_t index = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; index < count; index += stride)
    {
        output[index] = clipped(input[index], T(low), T(high));
    }
}

bool aligned(void const* pointer)
{
    return reinterpret_cast<uintptr_t>(pointer) % sizeof(uint4) == 0;
}

int32_t blocksFor(int64_t count)
{
    return static_cast<int32_t>(std::min((count + kTHREADS - 1) / kTHREADS, kMOST_BLOCKS));
}

//! The packs, then what is left over of them.
template <typename T>
void clip(void const* input, void* output, int64_t count, float low, float high, cudaStream_t stream)
{
    int64_t const lanes = sizeof(uint4) / sizeof(T);
    int64_t const packs = aligned(input) && aligned(output) ? count / lanes : 0;
    if (packs > 0)
    {
        clipPacks<T><<<blocksFor(packs), kTHREADS, 0, stream>>>(
            static_cast<uint4 const*>(input), static_cast<uint4*>(output), packs, low, high);
    }
    int64_t const done = packs * lanes;
    if (done < count)
    {
        clipValues<T><<<blocksFor(count - done), kTHREADS, 0, stream>>>(
            static_cast<T const*>(input) + done, static_cast<T*>(output) + done, count - done, low, high);
    }
    check(cudaGetLastError(), "clip kernel");
}

} // namespace

//! Serialised: clipMin float, clipMax float, elements of one image int64, dtype int32.
class CustomClipPlugin : public Plugin<CustomClipPlugin>
{
public:
    static constexpr char const* kType = "CustomClipPlugin";

    CustomClipPlugin(float low, float high)
        : mLow(low)
        , mHigh(high)
    {
        if (!(low <= high))
        {
            throw std::runtime_error("clipMin must not be larger than clipMax");
        }
    }

    explicit CustomClipPlugin(Reader& reader)
    {
        mLow = reader.get<float>();
        mHigh = reader.get<float>();
        mVolume = reader.get<int64_t>();
        mType = reader.get<nvinfer1::DataType>();
    }

    static CustomClipPlugin* fromFields(Fields const& fields)
    {
        return new CustomClipPlugin(fields.number("clipMin"), fields.number("clipMax"));
    }

    static nvinfer1::PluginFieldCollection const* fieldNames()
    {
        static nvinfer1::PluginField const fields[] = {
            {"clipMin", nullptr, nvinfer1::PluginFieldType::kFLOAT32, 1},
            {"clipMax", nullptr, nvinfer1::PluginFieldType::kFLOAT32, 1},
        };
        static nvinfer1::PluginFieldCollection const collection{2, fields};
        return &collection;
    }

protected:
    nvinfer1::Dims outputDimensions(nvinfer1::Dims const* inputs, int32_t nbInputs) const override
    {
        if (nbInputs != 1)
        {
            throw std::runtime_error("takes one input");
        }
        return inputs[0];
    }

    void configure(nvinfer1::Dims const* inputs, int32_t) override
    {
        mVolume = volume(inputs[0]);
    }

    void run(int32_t batchSize, void const* const* inputs, void* output, cudaStream_t stream) override
    {
        auto const run = mType == nvinfer1::DataType::kHALF ? clip<__half> : clip<float>;
        run(inputs[0], output, batchSize * mVolume, mLow, mHigh, stream);
    }

    void write(Writer& writer) const override
    {
        writer.put(mLow);
        writer.put(mHigh);
        writer.put(mVolume);
        writer.put(mType);
    }

private:
    float mLow{};
    float mHigh{};
    int64_t mVolume{};
};

using CustomClipPluginCreator = Creator<CustomClipPlugin>;
REGISTER_TENSORRT_PLUGIN(CustomClipPluginCreator);

} // namespace trtflow
