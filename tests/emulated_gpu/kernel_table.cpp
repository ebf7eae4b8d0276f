#include "device_code.hpp"

#include "kernel_table.hpp"

#include <batchmate/cuda/kernels.hpp>

#include <cstddef>
#include <map>
#include <tuple>
#include <utility>

namespace emulated_gpu {
namespace {

using binder = std::function<std::function<void()>(void* const*)>;

/// All kernels by the address that they are launched by.
class table {
 public:
  table() {
    using namespace batchmate::cuda;
    add(kernels::stamp<>);
    add(kernels::begin<>);
    add(kernels::find_symmetry<>);
    add(kernels::answer<>);
    of_elements<__half>();
    of_elements<__nv_bfloat16>();
    of_elements<float>();
  }
  std::map<void const*, binder> known;

 private:
  template <class Element>
  void of_elements() {
    add(batchmate::cuda::kernels::unpack<Element>);
    add(batchmate::cuda::kernels::dense<Element>);
  }
  template <class... Parameters>
  void add(void (*kernel)(Parameters...)) {
    known[reinterpret_cast<void const*>(kernel)] = [kernel](void* const* arguments) {
      return [&]<std::size_t... I>(std::index_sequence<I...>)->std::function<void()> {
        std::tuple<Parameters...> const held(*static_cast<Parameters*>(arguments[I])...);
        return [kernel, held] { std::apply(kernel, held); };
      }
      (std::index_sequence_for<Parameters...>{});
    };
  }
};

}  // namespace

std::function<void()> bind(void const* kernel, void* const* arguments) {
  static table const all;
  auto const found = all.known.find(kernel);
  return found == all.known.end() ? nullptr : found->second(arguments);
}

}  // namespace emulated_gpu
