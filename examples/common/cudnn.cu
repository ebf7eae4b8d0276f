#include <batchmate/cuda/evaluator.hpp>
#include <batchmate/cuda/tuning.hpp>

#include <common/cudnn.hpp>

#include <fstream>
#include <sstream>
#include <string>
#include <utility>

namespace common {
namespace {

batchmate::cuda::precision precision_of(std::string const& text) {
  return text == "auto" ? batchmate::cuda::precision::fp16 : batchmate::cuda::parse_precision(text);
}

batchmate::cudnn_options options_of(cudnn_settings const& settings,
                                    batchmate::cuda::board_symmetries symmetries) {
  batchmate::cudnn_options options;
  options.precision = precision_of(settings.precision);
  options.devices = settings.devices;
  options.fixed_rows = settings.fixed_rows;
  options.symmetries = std::move(symmetries);
  if (settings.plan.empty()) return options;
  std::ifstream file(settings.plan);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) throw batchmate::file_error("cannot read " + settings.plan);
  options.plan = batchmate::cuda::parse_plan(text.str(), settings.plan);
  return options;
}

}  // namespace

struct cudnn_evaluator::holder final : interface {
  holder(batchmate::network const& net, batchmate::cudnn_options const& options) : evaluator(net, options) {}
  void submit(int slot, batchmate::raw_batch const& rows) override { evaluator.submit(slot, rows); }
  void wait(int slot) override { evaluator.wait(slot); }
  std::string identity() const override { return evaluator.identity(); }
  void reserve(batchmate::reservation const& wanted) override { evaluator.reserve(wanted); }
  bool moves_rows() const override { return evaluator.moves_rows(); }
  std::shared_ptr<std::byte> allocate(std::size_t bytes) override { return evaluator.allocate(bytes); }
  std::size_t memory_bytes(batchmate::reservation const& wanted) const override {
    return evaluator.memory_bytes(wanted);
  }
  batchmate::evaluator_report report() const override { return evaluator.report(); }
  std::string note() const override { return evaluator.note(); }
  std::vector<int> buckets() const override { return evaluator.buckets(); }

  batchmate::cudnn evaluator;
};

cudnn_evaluator::cudnn_evaluator(batchmate::network const& net, cudnn_settings const& settings,
                                 batchmate::row_symmetries const& symmetries,
                                 std::optional<std::uint64_t> symmetry_seed)
    : held_(std::make_shared<holder>(
          net, options_of(settings, batchmate::cuda::board_symmetries(symmetries, symmetry_seed)))) {}

std::string why_no_cudnn() {
  std::string why_not;
  return batchmate::cuda::devices(&why_not).empty() ? why_not : "";
}

std::string tune_cudnn(batchmate::network const& net, std::string const& precision,
                       std::function<void(std::string const&)> const& progress) {
  namespace cuda = batchmate::cuda;
  cuda::tuning_options options;
  options.progress = [&](cuda::timed_choice const& now) {
    std::string const time = now.microseconds < 0
                                 ? "does not run"
                                 : batchmate::concat(now.microseconds, " us for ", now.rows, " rows");
    progress(batchmate::concat(cuda::name_of(now.of), " ", cuda::text_of(now.choice), ": ", time));
  };
  auto const shape = cuda::tower_shape_of(net, precision_of(precision));
  if (auto const all = cuda::devices(); !all.empty()) {
    options.device = all[0].number;
    options.buckets = [shape, on = all[0]](cuda::engine_choice const& inner) {
      return cuda::batch_buckets(cuda::waves_of(on, shape, inner), batchmate::cudnn_options{}.max_chunk);
    };
  }
  return cuda::text_of(cuda::tune(shape, options));
}

}  // namespace common
