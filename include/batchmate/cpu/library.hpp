#pragma once

#include <batchmate/core/error.hpp>

#include <oneapi/dnnl/dnnl.hpp>

#include <dlfcn.h>

#include <string>

/// The network on oneDNN.
namespace batchmate::cpu {

/// In what the tower's activations and weights are held; sums are fp32 in either.
enum class precision {
  automatic,  ///< bf16 where the processor multiplies it, else fp32
  fp32,       ///< always fp32
  bf16,       ///< bf16, or a `contract_error` where the processor lacks it
};

/// Whether oneDNN multiplies bf16 in hardware here (AVX512_BF16 or AMX), within `DNNL_MAX_CPU_ISA`.
inline bool has_bf16() {
  auto const isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  constexpr auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  return (isa & wanted) == wanted;
}

/// What `automatic` means on this processor; throws `contract_error` if bf16 is wanted and missing.
inline precision effective_precision(precision wanted) {
  if (wanted == precision::automatic) return has_bf16() ? precision::bf16 : precision::fp32;
  expects(wanted == precision::fp32 || has_bf16(),
          "onednn: precision bf16 needs AVX512_BF16 or AMX, which this ",
          "processor (or DNNL_MAX_CPU_ISA) does not offer; take automatic or fp32");
  return wanted;
}

/// `fp32` or `bf16`.
inline std::string name_of(precision p) {
  return p == precision::fp32 ? "fp32" : p == precision::bf16 ? "bf16" : "automatic";
}

/// The instruction set that oneDNN generates code for, as in `DNNL_MAX_CPU_ISA` but in small letters.
inline std::string isa_name() {
  using dnnl::cpu_isa;
  cpu_isa const isa = dnnl::get_effective_cpu_isa();
  switch (isa) {
    case cpu_isa::sse41:
      return "sse41";
    case cpu_isa::avx:
      return "avx";
    case cpu_isa::avx2:
      return "avx2";
    case cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case cpu_isa::avx512_core:
      return "avx512_core";
    case cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return concat("isa", static_cast<unsigned>(isa));
  }
}

/// `onednn-2.6.3`: the version of the library that is linked, not of its headers.
inline std::string library_name() {
  dnnl_version_t const* const v = dnnl_version();
  return concat("onednn-", v->major, ".", v->minor, ".", v->patch);
}

/// Runs a step of oneDNN; its exception becomes an `evaluation_error` that names the step.
template <class Step>
decltype(auto) attempt(std::string const& what, Step&& step) {
  try {
    return step();
  } catch (dnnl::error const& e) {
    throw evaluation_error(
        concat("onednn: ", what, ": ", e.what(), " (status ", static_cast<int>(e.status), ")"));
  }
}

/// While it lives, oneDNN works on the calling thread alone: workers are the parallelism, and a team of
/// threads inside each of them was five times slower. What the thread had set for OpenMP before comes back
/// afterwards.
///
/// Debian's oneDNN runs on OpenMP. Its runtime is looked up among the loaded libraries rather than linked, so that it
/// is the one that oneDNN uses, whatever the compiler's own would be. Without one there is nothing to limit.
class single_threaded {
 public:
  single_threaded() : before_(calls().max ? calls().max() : 0) {
    if (before_ > 1) calls().set(1);
  }
  ~single_threaded() {
    if (before_ > 1) calls().set(before_);
  }
  single_threaded(single_threaded const&) = delete;
  single_threaded& operator=(single_threaded const&) = delete;

 private:
  struct openmp {
    int (*max)();
    void (*set)(int);
  };
  static openmp const& calls() {
    static openmp const found = [] {
      auto const max = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
      auto const set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
      return max && set ? openmp{max, set} : openmp{nullptr, nullptr};
    }();
    return found;
  }

  int before_;
};

}  // namespace batchmate::cpu
