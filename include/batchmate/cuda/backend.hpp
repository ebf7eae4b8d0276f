#pragma once

#include <batchmate/cuda/check.hpp>

#include <cudnn_backend.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace batchmate::cuda {

/// The attribute type by which cuDNN knows a C++ type. To C++ a descriptor of cuDNN is the same as a pointer to data, and
/// is taken for that; `descriptor` says itself where it means the former.
template <class T>
constexpr cudnnBackendAttributeType_t attribute_type() {
  if constexpr (std::is_same_v<T, std::int64_t>)
    return CUDNN_TYPE_INT64;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return CUDNN_TYPE_INT32;
  else if constexpr (std::is_same_v<T, float>)
    return CUDNN_TYPE_FLOAT;
  else if constexpr (std::is_same_v<T, bool>)
    return CUDNN_TYPE_BOOLEAN;
  else if constexpr (std::is_same_v<T, char>)
    return CUDNN_TYPE_CHAR;
  else if constexpr (std::is_same_v<T, cudnnHandle_t>)
    return CUDNN_TYPE_HANDLE;
  else if constexpr (std::is_same_v<T, cudnnDataType_t>)
    return CUDNN_TYPE_DATA_TYPE;
  else if constexpr (std::is_same_v<T, cudnnConvolutionMode_t>)
    return CUDNN_TYPE_CONVOLUTION_MODE;
  else if constexpr (std::is_same_v<T, cudnnPointwiseMode_t>)
    return CUDNN_TYPE_POINTWISE_MODE;
  else if constexpr (std::is_same_v<T, cudnnBackendHeurMode_t>)
    return CUDNN_TYPE_HEUR_MODE;
  else if constexpr (std::is_same_v<T, cudnnBackendKnobType_t>)
    return CUDNN_TYPE_KNOB_TYPE;
  else if constexpr (std::is_same_v<T, cudnnBackendNumericalNote_t>)
    return CUDNN_TYPE_NUMERICAL_NOTE;
  else if constexpr (std::is_same_v<T, cudnnBackendBehaviorNote_t>)
    return CUDNN_TYPE_BEHAVIOR_NOTE;
  else {
    static_assert(std::is_same_v<T, void*>, "batchmate: cuDNN has no attributes of this type");
    return CUDNN_TYPE_VOID_PTR;
  }
}

/// One object of cuDNN's backend API: created, given attributes, finalised. Copies share it, and it keeps alive all
/// that it refers to.
class descriptor {
 public:
  explicit descriptor(cudnnBackendDescriptorType_t type) : held_(std::make_shared<object>()) {
    check(cudnnBackendCreateDescriptor(type, &held_->raw), "cudnnBackendCreateDescriptor");
  }

  /// The object itself, for calls of cuDNN.
  cudnnBackendDescriptor_t raw() const { return held_->raw; }

  /// Gives an attribute one value; throws `cuda::error`.
  template <class T>
  descriptor& set(cudnnBackendAttributeName_t name, T const& value) {
    check(cudnnBackendSetAttribute(raw(), name, attribute_type<T>(), 1, &value), "cudnnBackendSetAttribute");
    return *this;
  }
  /// Gives an attribute another object.
  descriptor& set(cudnnBackendAttributeName_t name, descriptor const& value) {
    return set_all(name, std::vector{value});
  }
  /// Gives an attribute several numbers.
  template <class T>
  descriptor& set_all(cudnnBackendAttributeName_t name, T const* values, std::size_t count) {
    check(
        cudnnBackendSetAttribute(raw(), name, attribute_type<T>(), static_cast<std::int64_t>(count), values),
        "cudnnBackendSetAttribute");
    return *this;
  }
  /// Gives an attribute several objects.
  descriptor& set_all(cudnnBackendAttributeName_t name, std::vector<descriptor> const& values) {
    std::vector<cudnnBackendDescriptor_t> raw_values;
    for (auto const& each : values) {
      raw_values.push_back(each.raw());
      held_->parts.push_back(each.held_);
    }
    check(cudnnBackendSetAttribute(raw(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                   static_cast<std::int64_t>(raw_values.size()), raw_values.data()),
          "cudnnBackendSetAttribute");
    return *this;
  }

  /// Ends the giving of attributes; throws `cuda::error` if cuDNN does not take them.
  descriptor& finalize() {
    check(cudnnBackendFinalize(raw()), "cudnnBackendFinalize");
    return *this;
  }
  /// The same, but says whether cuDNN took them.
  bool try_finalize() { return cudnnBackendFinalize(raw()) == CUDNN_STATUS_SUCCESS; }

  /// One value of an attribute.
  template <class T>
  T value(cudnnBackendAttributeName_t name) const {
    T found{};
    std::int64_t count = 0;
    check(cudnnBackendGetAttribute(raw(), name, attribute_type<T>(), 1, &count, &found),
          "cudnnBackendGetAttribute");
    return found;
  }
  /// All values of an attribute that may have up to `most`.
  template <class T>
  std::vector<T> values(cudnnBackendAttributeName_t name, std::size_t most) const {
    std::vector<T> found(most);
    std::int64_t count = 0;
    check(cudnnBackendGetAttribute(raw(), name, attribute_type<T>(), static_cast<std::int64_t>(most), &count,
                                   found.data()),
          "cudnnBackendGetAttribute");
    found.resize(static_cast<std::size_t>(count));
    return found;
  }
  /// All objects of an attribute that may have up to `most`, which are of a type.
  std::vector<descriptor> objects(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                  std::size_t most) const {
    std::vector<descriptor> found;
    std::vector<cudnnBackendDescriptor_t> raw_found;
    for (std::size_t i = 0; i < most; ++i) raw_found.push_back(found.emplace_back(type).raw());
    std::int64_t count = 0;
    check(cudnnBackendGetAttribute(raw(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                   static_cast<std::int64_t>(most), &count, raw_found.data()),
          "cudnnBackendGetAttribute");
    found.erase(found.begin() + count, found.end());
    return found;
  }

 private:
  struct object {
    object() = default;
    object(object const&) = delete;
    ~object() {
      if (raw) cudnnBackendDestroyDescriptor(raw);
    }
    cudnnBackendDescriptor_t raw = nullptr;
    std::vector<std::shared_ptr<object>> parts;  // what it refers to; they go after it
  };
  std::shared_ptr<object> held_;
};

/// What plans are made for: a device that is there, through a cuDNN handle of it, or one that is described in
/// JSON, which needs neither a GPU nor a driver. Such plans can be finalised, but not run.
class plan_target {
 public:
  /// The device of the handle, which outlives all plans.
  explicit plan_target(cudnnHandle_t handle) : handle_(handle) {}
  /// A described device, in the form that cuDNN itself writes. Throws `cuda::error` if cuDNN does not take it.
  explicit plan_target(std::string const& json) {
    device_.emplace_back(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR)
        .set_all(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, json.data(), json.size())
        .finalize();
  }

  /// Tells an object which device it is for; every kind of object has two attributes for that.
  void apply(descriptor& to, cudnnBackendAttributeName_t by_handle,
             cudnnBackendAttributeName_t by_device) const {
    if (handle_)
      to.set(by_handle, handle_);
    else
      to.set(by_device, device_.front());
  }
  /// Whether the device is only described.
  bool described() const { return !handle_; }
  /// Null for a described device.
  cudnnHandle_t handle() const { return handle_; }
  /// The description; only of a described device.
  descriptor const& device() const { return device_.front(); }

 private:
  cudnnHandle_t handle_ = nullptr;
  std::vector<descriptor> device_;  // one or none
};

}  // namespace batchmate::cuda
