// Plain values in the order in which they are written, little-endian as the machines that TensorRT runs on.
#pragma once

#include <cstddef>
#include <cstring>
#include <stdexcept>

namespace trtflow
{

//! Writes into a buffer, or only counts when there is none.
class Writer
{
public:
    explicit Writer(void* buffer = nullptr)
        : mBegin(static_cast<char*>(buffer))
    {
    }

    template <typename T>
    void put(T const& value)
    {
        put(&value, sizeof(T));
    }

    void put(void const* data, size_t bytes)
    {
        if (mBegin != nullptr && bytes > 0)
        {
            std::memcpy(mBegin + mSize, data, bytes);
        }
        mSize += bytes;
    }

    size_t size() const
    {
        return mSize;
    }

private:
    char* mBegin;
    size_t mSize{0};
};

//! Reads what a Writer wrote; throws rather than read past the end or leave something over.
class Reader
{
public:
    Reader(void const* data, size_t length)
        : mData(static_cast<char const*>(data))
        , mLeft(length)
    {
    }

    template <typename T>
    T get()
    {
        T value;
        std::memcpy(&value, take(sizeof(T)), sizeof(T));
        return value;
    }

    char const* take(size_t bytes)
    {
        if (bytes > mLeft)
        {
            throw std::runtime_error("the serialised plugin is too short. Build the engine again.");
        }
        char const* data = mData;
        mData += bytes;
        mLeft -= bytes;
        return data;
    }

    void finish() const
    {
        if (mLeft != 0)
        {
            throw std::runtime_error("the serialised plugin is too long. Build the engine again.");
        }
    }

private:
    char const* mData;
    size_t mLeft;
};

} // namespace trtflow
