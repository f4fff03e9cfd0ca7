// The fields that a plugin is created from, looked up by name, in whatever number type the caller had.
#pragma once

#include <NvInfer.h>
#include <cstring>
#include <cuda_fp16.h>
#include <stdexcept>
#include <string>
#include <vector>

namespace trtflow
{

class Fields
{
public:
    explicit Fields(nvinfer1::PluginFieldCollection const& collection)
        : mCollection(collection)
    {
    }

    bool has(char const* name) const
    {
        return find(name) != nullptr;
    }

    //! All numbers of a field. Throws when it is missing or holds no numbers.
    std::vector<float> numbers(char const* name) const
    {
        nvinfer1::PluginField const* field = find(name);
        if (field == nullptr)
        {
            throw std::runtime_error(std::string("needs the field '") + name + "'");
        }
        using Type = nvinfer1::PluginFieldType;
        switch (field->type)
        {
        case Type::kFLOAT32: return copied<float>(*field);
        case Type::kFLOAT64: return copied<double>(*field);
        case Type::kINT32: return copied<int32_t>(*field);
        case Type::kFLOAT16: return copied<__half>(*field);
        default: throw std::runtime_error(std::string("the field '") + name + "' holds no numbers");
        }
    }

    //! The one number of a field.
    float number(char const* name) const
    {
        std::vector<float> const values = numbers(name);
        if (values.size() != 1)
        {
            throw std::runtime_error(std::string("the field '") + name + "' must hold one number");
        }
        return values[0];
    }

private:
    nvinfer1::PluginField const* find(char const* name) const
    {
        for (int32_t index = 0; index < mCollection.nbFields; ++index)
        {
            if (std::strcmp(mCollection.fields[index].name, name) == 0)
            {
                return &mCollection.fields[index];
            }
        }
        return nullptr;
    }

    template <typename T>
    static std::vector<float> copied(nvinfer1::PluginField const& field)
    {
        T const* data = static_cast<T const*>(field.data);
        std::vector<float> values(field.length);
        for (int32_t index = 0; index < field.length; ++index)
        {
            values[index] = static_cast<float>(data[index]);
        }
        return values;
    }

    nvinfer1::PluginFieldCollection const& mCollection;
};

} // namespace trtflow
