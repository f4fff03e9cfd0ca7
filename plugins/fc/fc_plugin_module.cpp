// Python module fc_plugin: FCPluginFactory, which hands layer ip2 of a Caffe model to FCPlugin (guide sections 10.2, 21).
//
//     parser.plugin_factory_v2 = fc_plugin.FCPluginFactory()
//
// TensorRT's own module takes the object when both modules were built with the same pybind11 internals (see README.md).
#include <NvCaffeParser.h>
#include <NvInfer.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <stdexcept>
#include <string>
#include <vector>

namespace py = pybind11;
using nvcaffeparser1::IPluginFactoryV2;
using nvinfer1::PluginFieldType;

namespace trtflow
{

class FCPluginFactory : public IPluginFactoryV2
{
public:
    explicit FCPluginFactory(std::string layer)
        : mLayer(std::move(layer))
    {
    }

    bool isPluginV2(char const* layerName) noexcept override
    {
        return mLayer == layerName;
    }

    //! Weights are the kernel [outputs, inputs] and the bias [outputs], whose length says how many outputs there are.
    nvinfer1::IPluginV2* createPlugin(char const* layerName, nvinfer1::Weights const* weights, int32_t nbWeights,
        char const* libNamespace) noexcept override
    {
        auto* creator = getPluginRegistry()->getPluginCreator("FCPlugin", "1", "");
        if (creator == nullptr || nbWeights != 2)
        {
            return nullptr;
        }
        auto const outputs = static_cast<int32_t>(weights[1].count);
        std::array<nvinfer1::PluginField, 3> const fields{
            nvinfer1::PluginField{"outputs", &outputs, PluginFieldType::kINT32, 1},
            field("kernel", weights[0]),
            field("bias", weights[1]),
        };
        nvinfer1::PluginFieldCollection const collection{static_cast<int32_t>(fields.size()), fields.data()};
        nvinfer1::IPluginV2* plugin = creator->createPlugin(layerName, &collection);
        if (plugin != nullptr && libNamespace != nullptr)
        {
            plugin->setPluginNamespace(libNamespace);
        }
        return plugin;
    }

private:
    static nvinfer1::PluginField field(char const* name, nvinfer1::Weights const& weights)
    {
        auto const type
            = weights.type == nvinfer1::DataType::kHALF ? PluginFieldType::kFLOAT16 : PluginFieldType::kFLOAT32;
        return {name, weights.values, type, static_cast<int32_t>(weights.count)};
    }

    std::string mLayer;
};

//! The plugin as an object of TensorRT's Python module, which alone can wrap it: made again there from its bytes.
py::object createForPython(
    IPluginFactoryV2& factory, std::string const& layer, std::vector<nvinfer1::Weights> const& weights)
{
    auto* plugin = factory.createPlugin(layer.c_str(), weights.data(), static_cast<int32_t>(weights.size()), "");
    if (plugin == nullptr)
    {
        throw std::runtime_error("layer '" + layer + "': FCPlugin takes a kernel and a bias");
    }
    std::string bytes(plugin->getSerializationSize(), '\0');
    plugin->serialize(bytes.data());
    plugin->destroy();
    py::object const registry = py::module_::import("tensorrt").attr("get_plugin_registry")();
    py::object const creator = registry.attr("get_plugin_creator")("FCPlugin", "1");
    return creator.attr("deserialize_plugin")(layer, py::bytes(bytes));
}

} // namespace trtflow

PYBIND11_MODULE(fc_plugin, module)
{
    using trtflow::FCPluginFactory;
    module.doc() = "FCPlugin for TensorRT's Caffe parser.";
    // The base under the same C++ name as in TensorRT's module: it finds it by that name, through the attribute that
    // module_local leaves on the type and that the factory inherits, as it is not module_local itself.
    py::class_<IPluginFactoryV2>(module, "ICaffePluginFactoryV2", py::module_local())
        .def(
            "is_plugin_v2",
            [](IPluginFactoryV2& self, std::string const& name) { return self.isPluginV2(name.c_str()); },
            py::arg("layer_name"), "Whether this factory makes the layer of that name.")
        .def("create_plugin", &trtflow::createForPython, py::arg("layer_name"), py::arg("weights"),
            "Return the plugin of a layer; weights: its kernel and its bias, as tensorrt.Weights.");
    py::class_<FCPluginFactory, IPluginFactoryV2>(module, "FCPluginFactory")
        .def(py::init<std::string>(), py::arg("layer") = "ip2");
}
