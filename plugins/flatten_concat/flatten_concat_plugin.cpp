// FlattenConcat: every input of an image as one row, the rows one behind the other. TensorRT's own FlattenConcat_TRT
// is the model; this one copies each input of the whole batch at once, and takes float16 too.
#include "cuda_check.h"
#include "plugin.h"

#include <numeric>
#include <vector>

namespace trtflow
{

//! Serialised: axis int32, ignoreBatch int32, dtype int32, rows int32, inputs int32, elements of each int64.
class FlattenConcat : public Plugin<FlattenConcat>
{
public:
    static constexpr char const* kType = "FlattenConcat";

    //! axis: where the joined length stands, 1 (C), 2 (H) or 3 (W); the other two are 1. ignoreBatch: the inputs are
    //! the same for every image of a batch, so those of the first one are taken for all.
    FlattenConcat(int32_t axis, bool ignoreBatch)
        : mAxis(axis)
        , mIgnoreBatch(ignoreBatch)
    {
        if (axis < 1 || axis > 3)
        {
            throw std::runtime_error("axis must be 1, 2 or 3");
        }
    }

    explicit FlattenConcat(Reader& reader)
        : FlattenConcat{reader.get<int32_t>(), reader.get<int32_t>() != 0} // braces: read from left to right
    {
        mType = reader.get<nvinfer1::DataType>();
        mRows = reader.get<int32_t>();
        mSizes.resize(reader.get<int32_t>());
        for (int64_t& size : mSizes)
        {
            size = reader.get<int64_t>();
        }
    }

    static FlattenConcat* fromFields(Fields const& fields)
    {
        bool const ignoreBatch = fields.has("ignoreBatch") && fields.number("ignoreBatch") != 0;
        return new FlattenConcat(static_cast<int32_t>(fields.number("axis")), ignoreBatch);
    }

    static nvinfer1::PluginFieldCollection const* fieldNames()
    {
        static nvinfer1::PluginField const fields[] = {
            {"axis", nullptr, nvinfer1::PluginFieldType::kINT32, 1},
            {"ignoreBatch", nullptr, nvinfer1::PluginFieldType::kINT32, 1},
        };
        static nvinfer1::PluginFieldCollection const collection{2, fields};
        return &collection;
    }

protected:
    nvinfer1::Dims outputDimensions(nvinfer1::Dims const* inputs, int32_t nbInputs) const override
    {
        int64_t total = 0;
        for (int32_t index = 0; index < nbInputs; ++index)
        {
            if (inputs[index].nbDims < 3)
            {
                throw std::runtime_error("takes inputs of C, H, W");
            }
            total += volume(inputs[index], inputs[index].nbDims - 3);
        }
        nvinfer1::Dims result = inputs[0]; // what stands before C, H, W is an explicit batch
        for (int32_t axis = 1; axis <= 3; ++axis)
        {
            result.d[result.nbDims - 4 + axis] = axis == mAxis ? static_cast<int32_t>(total) : 1;
        }
        return result;
    }

    void configure(nvinfer1::Dims const* inputs, int32_t nbInputs) override
    {
        mSizes.clear();
        for (int32_t index = 0; index < nbInputs; ++index)
        {
            mSizes.push_back(volume(inputs[index], inputs[index].nbDims - 3));
        }
        mRows = static_cast<int32_t>(volume(inputs[0]) / mSizes[0]);
    }

    void run(int32_t batchSize, void const* const* inputs, void* output, cudaStream_t stream) override
    {
        size_t const element = sizeOf(mType);
        size_t const row = element * std::accumulate(mSizes.begin(), mSizes.end(), int64_t{0});
        size_t const rows = static_cast<size_t>(batchSize) * mRows;
        char* target = static_cast<char*>(output);
        for (size_t index = 0; index < mSizes.size(); ++index)
        {
            size_t const width = element * mSizes[index];
            if (mIgnoreBatch)
            {
                for (size_t image = 0; image < rows; ++image)
                {
                    check(cudaMemcpyAsync(target + image * row, inputs[index], width, cudaMemcpyDeviceToDevice, stream),
                        "copy");
                }
            }
            else
            {
                check(cudaMemcpy2DAsync(
                          target, row, inputs[index], width, width, rows, cudaMemcpyDeviceToDevice, stream),
                    "copy");
            }
            target += width;
        }
    }

    void write(Writer& writer) const override
    {
        writer.put(mAxis);
        writer.put(static_cast<int32_t>(mIgnoreBatch));
        writer.put(mType);
        writer.put(mRows);
        writer.put(static_cast<int32_t>(mSizes.size()));
        for (int64_t size : mSizes)
        {
            writer.put(size);
        }
    }

private:
    int32_t mAxis;
    bool mIgnoreBatch;
    int32_t mRows{1};
    std::vector<int64_t> mSizes;
};

using FlattenConcatCreator = Creator<FlattenConcat>;
REGISTER_TENSORRT_PLUGIN(FlattenConcatCreator);

} // namespace trtflow
