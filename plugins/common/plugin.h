// What the plugins here share: a layer with one output, in float32 or float16, linear (NCHW), of TensorRT 8.6.
//
// A plugin derives from Plugin<Derived>, names itself (kType), and says what it computes and what it keeps
// (serialize into a Writer). Creator<Derived> then makes it from fields or from bytes.
#pragma once

#include "bytes.h"
#include "fields.h"

#include <NvInfer.h>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>

namespace trtflow
{

inline void logError(char const* plugin, char const* what) noexcept
{
    if (nvinfer1::ILogger* logger = getLogger())
    {
        try
        {
            logger->log(nvinfer1::ILogger::Severity::kERROR, (std::string(plugin) + ": " + what).c_str());
        }
        catch (...) // out of memory; the caller reports the failure by its own result
        {
        }
    }
}

//! Number of elements of the dimensions [first, dims.nbDims).
inline int64_t volume(nvinfer1::Dims const& dims, int32_t first = 0)
{
    int64_t count = 1;
    for (int32_t axis = first; axis < dims.nbDims; ++axis)
    {
        count *= dims.d[axis];
    }
    return count;
}

//! Bytes of one element.
inline size_t sizeOf(nvinfer1::DataType type)
{
    return type == nvinfer1::DataType::kHALF ? 2 : 4;
}

template <typename Derived>
class Plugin : public nvinfer1::IPluginV2Ext
{
public:
    char const* getPluginType() const noexcept override
    {
        return Derived::kType;
    }

    char const* getPluginVersion() const noexcept override
    {
        return "1";
    }

    int32_t getNbOutputs() const noexcept override
    {
        return 1;
    }

    nvinfer1::DataType getOutputDataType(int32_t, nvinfer1::DataType const* inputTypes, int32_t) const noexcept override
    {
        return inputTypes[0];
    }

    bool supportsFormat(nvinfer1::DataType type, nvinfer1::PluginFormat format) const noexcept override
    {
        return (type == nvinfer1::DataType::kFLOAT || type == nvinfer1::DataType::kHALF)
            && format == nvinfer1::PluginFormat::kLINEAR;
    }

    //! What the builder calls; the type that it chose is kept.
    void configurePlugin(nvinfer1::Dims const* inputs, int32_t nbInputs, nvinfer1::Dims const*, int32_t,
        nvinfer1::DataType const* inputTypes, nvinfer1::DataType const*, bool const*, bool const*,
        nvinfer1::PluginFormat, int32_t) noexcept override
    {
        mType = inputTypes[0];
        guarded([&] { configure(inputs, nbInputs); });
    }

    //! The same under IPluginV2's name, which is what Python can call.
    void configureWithFormat(nvinfer1::Dims const* inputs, int32_t nbInputs, nvinfer1::Dims const*, int32_t,
        nvinfer1::DataType type, nvinfer1::PluginFormat, int32_t) noexcept override
    {
        mType = type;
        guarded([&] { configure(inputs, nbInputs); });
    }

    bool isOutputBroadcastAcrossBatch(int32_t, bool const*, int32_t) const noexcept override
    {
        return false;
    }

    bool canBroadcastInputAcrossBatch(int32_t) const noexcept override
    {
        return false;
    }

    int32_t initialize() noexcept override
    {
        return 0;
    }

    void terminate() noexcept override {}

    size_t getWorkspaceSize(int32_t) const noexcept override
    {
        return 0;
    }

    nvinfer1::Dims getOutputDimensions(int32_t, nvinfer1::Dims const* inputs, int32_t nbInputs) noexcept override
    {
        nvinfer1::Dims result{};
        guarded([&] { result = outputDimensions(inputs, nbInputs); });
        return result;
    }

    int32_t enqueue(int32_t batchSize, void const* const* inputs, void* const* outputs, void*,
        cudaStream_t stream) noexcept override
    {
        return guarded([&] { run(batchSize, inputs, outputs[0], stream); }) ? 0 : -1;
    }

    size_t getSerializationSize() const noexcept override
    {
        Writer counter;
        write(counter);
        return counter.size();
    }

    void serialize(void* buffer) const noexcept override
    {
        Writer writer(buffer);
        write(writer);
    }

    nvinfer1::IPluginV2Ext* clone() const noexcept override
    {
        nvinfer1::IPluginV2Ext* copy = nullptr;
        guarded([&] { copy = new Derived(static_cast<Derived const&>(*this)); });
        return copy;
    }

    void destroy() noexcept override
    {
        delete this;
    }

    void setPluginNamespace(char const* name) noexcept override
    {
        guarded([&] { mNamespace = name; });
    }

    char const* getPluginNamespace() const noexcept override
    {
        return mNamespace.c_str();
    }

protected:
    //! The dimensions of the output. Throws where the inputs do not fit.
    virtual nvinfer1::Dims outputDimensions(nvinfer1::Dims const* inputs, int32_t nbInputs) const = 0;

    //! Note what of the inputs' dimensions is needed at run time.
    virtual void configure(nvinfer1::Dims const* inputs, int32_t nbInputs) = 0;

    //! Compute a batch. With an explicit batch TensorRT counts it among the dimensions and passes 1 here.
    virtual void run(int32_t batchSize, void const* const* inputs, void* output, cudaStream_t stream) = 0;

    //! What a plan keeps.
    virtual void write(Writer& writer) const = 0;

    //! Run a function; an exception goes to TensorRT's log. Returns whether there was none.
    template <typename Function>
    static bool guarded(Function function) noexcept
    {
        try
        {
            function();
            return true;
        }
        catch (std::exception const& error)
        {
            logError(Derived::kType, error.what());
            return false;
        }
    }

    nvinfer1::DataType mType{nvinfer1::DataType::kFLOAT};

private:
    std::string mNamespace;
};

//! Derived needs: static Derived* fromFields(Fields const&); Derived(Reader&); static fieldNames().
template <typename Derived>
class Creator : public nvinfer1::IPluginCreator
{
public:
    char const* getPluginName() const noexcept override
    {
        return Derived::kType;
    }

    char const* getPluginVersion() const noexcept override
    {
        return "1";
    }

    nvinfer1::PluginFieldCollection const* getFieldNames() noexcept override
    {
        return Derived::fieldNames();
    }

    nvinfer1::IPluginV2* createPlugin(
        char const* name, nvinfer1::PluginFieldCollection const* collection) noexcept override
    {
        return made(name, [&] { return Derived::fromFields(Fields(*collection)); });
    }

    nvinfer1::IPluginV2* deserializePlugin(char const* name, void const* data, size_t length) noexcept override
    {
        return made(name, [&] {
            Reader reader(data, length);
            auto plugin = std::make_unique<Derived>(reader);
            reader.finish();
            return plugin.release();
        });
    }

    void setPluginNamespace(char const* name) noexcept override
    {
        mNamespace = name;
    }

    char const* getPluginNamespace() const noexcept override
    {
        return mNamespace.c_str();
    }

private:
    template <typename Make>
    Derived* made(char const* name, Make make) noexcept
    {
        try
        {
            Derived* plugin = make();
            plugin->setPluginNamespace(mNamespace.c_str());
            return plugin;
        }
        catch (std::exception const& error)
        {
            logError(Derived::kType, (std::string("layer '") + name + "': " + error.what()).c_str());
            return nullptr;
        }
    }

    std::string mNamespace;
};

} // namespace trtflow
