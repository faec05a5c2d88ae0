#include "models/hcflow/hcflow.h"

#include "autograd/functions.h"
#include "models/invertible/recognise.h"
#include "models/upscale/recognise.h"
#include "nn/checkpointed.h"

namespace mini::models {
namespace {

// What each level keeps of its channels.
constexpr std::int64_t kept0 = 6, kept1 = 3;
constexpr std::int64_t channels0 = 4 * 3, channels1 = 4 * kept0;

std::pair<Tensor, Tensor> split_at(const Tensor& x, std::int64_t kept) {
  return {narrow(x, 1, 0, kept), narrow(x, 1, kept, x.size(1) - kept)};
}

// What level 0 knows: its own image, and what level 1 saw.
Tensor condition0(const Tensor& y1, const Tensor& feature1) {
  return concat({y1, upsample_nearest(feature1, 2)}, 1);
}

}  // namespace

std::vector<nn::Field> HcFlow::fields(Options& options) {
  const nn::Range width = nn::between(1, 1024), count = nn::between(1, 1000);
  ConditionalFlowOptions& detail = options.conditional;
  return {
      {"scale", &options.scale, "HR side / LR side", {}, {"4"}},
      {"steps", &options.steps, "steps of the main chain, at each level", count},
      {"growth", &options.growth, "channels that each convolution of their dense blocks adds",
       width},
      {"detail_steps", &detail.steps, "steps that make noise of the detail, at each level", count},
      {"detail_hidden", &detail.hidden, "channels inside these steps", width},
      {"trunk_features", &detail.features, "channels of what they are told of the image", width},
      {"trunk_growth", &detail.growth, "channels that its dense blocks' convolutions add", width},
      {"trunk_blocks0", &detail.trunk_blocks0, "RRDBs of its first part", nn::between(0, 1000)},
      {"trunk_blocks1", &detail.trunk_blocks1, "RRDBs of its second part", nn::between(0, 1000)},
  };
}

std::optional<HcFlowOptions> HcFlow::recognise(const nn::StateDict& state) {
  if (!state.contains("flow.layers.0.haar_weights") ||
      !state.contains("flow.level0_condFlow.conv_first.weight"))
    return std::nullopt;
  Options options;
  options.steps = 0;
  while (state.contains(concat_text("flow.layers.", options.steps + 1, ".actnorm.bias")))
    ++options.steps;
  options.growth = outputs_of(state, "flow.layers.1.affine.f.conv1.weight");
  ConditionalFlowOptions& detail = options.conditional;
  const std::string flow = "flow.level0_condFlow.";
  detail.steps = count_blocks(state, flow + "additional_flow_steps", "permute.weight");
  detail.hidden = outputs_of(state, flow + "additional_flow_steps.0.affine.f.conv1.weight");
  detail.features = outputs_of(state, flow + "conv_first.weight");
  detail.trunk_blocks0 = count_blocks(state, flow + "RRDB_trunk0", "RDB1.conv1.weight");
  detail.trunk_blocks1 = count_blocks(state, flow + "RRDB_trunk1", "RDB1.conv1.weight");
  for (const char* trunk : {"RRDB_trunk0", "RRDB_trunk1"})
    if (state.contains(flow + trunk + ".0.RDB1.conv1.weight"))
      detail.growth = outputs_of(state, flow + trunk + ".0.RDB1.conv1.weight");
  const auto size = [](std::int64_t n) { return static_cast<double>(n); };
  // Convolutions 2 to 4 of the main chain's dense blocks, conv2 of the detail's steps, and the first
  // and the last convolution of the trunk, with convolutions 2 to 4 of its dense blocks.
  check_plausible(state,
                  2 * (54 * size(options.steps) * size(options.growth) * size(options.growth) +
                       size(detail.steps) * size(detail.hidden) *
                           (size(detail.hidden) + size(detail.features)) +
                       9 * size(detail.features) * size(detail.features) +
                       3 * 54 * size(detail.trunk_blocks0 + detail.trunk_blocks1) *
                           size(detail.growth) * size(detail.growth)),
                  network);
  return options;
}

HcFlow::HcFlow(const Options& options, Generator& generator)
    : detail0_(channels0 - kept0, kept0 + options.conditional.features, options.conditional,
               generator),
      detail1_(channels1 - kept1, kept1, options.conditional, generator) {
  std::int64_t layer = 0;
  const auto next_name = [&layer] { return concat_text("flow.layers.", layer++); };
  for (Level& level : levels_) {
    const std::int64_t channels = layer == 0 ? channels0 : channels1;
    level.haar = std::make_unique<HaarDownsampling>(channels / 4);
    register_module(next_name(), *level.haar);
    for (std::int64_t i = 0; i < options.steps; ++i) {
      level.steps.push_back(
          std::make_unique<FlowStep>(channels, i % 2 == 0, options.growth, generator));
      register_module(next_name(), *level.steps.back());
    }
    ++layer;  // the split has no weights
  }
  register_module("flow.level0_condFlow", detail0_);
  register_module("flow.level1_condFlow", detail1_);
}

Tensor HcFlow::Level::forward(const Tensor& x, Tensor* log_det, bool checkpoints) const {
  Tensor y = mini::haar(x);
  if (log_det != nullptr) *log_det = *log_det + HaarDownsampling::log_det(x.shape());
  for (const auto& step : steps) {
    if (checkpoints && log_det == nullptr)
      y = nn::checkpointed(*step, {y}, [&step](const Tensors& in) -> Tensors {
        return {step->forward(in[0], nullptr)};
      })[0];
    else
      y = step->forward(y, log_det);
  }
  return y;
}

Tensor HcFlow::Level::inverse(const Tensor& y, bool checkpoints) const {
  Tensor x = y;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const FlowStep& one = **step;
    if (checkpoints)
      x = nn::checkpointed(
          one, {x}, [&one](const Tensors& in) -> Tensors { return {one.inverse(in[0])}; })[0];
    else
      x = one.inverse(x);
  }
  return haar_inverse(x);
}

HcFlow::Result HcFlow::forward(const Tensor& hr, bool with_log_det) const {
  check(hr.rank() == 4 && hr.size(1) == 3 && hr.size(2) % 4 == 0 && hr.size(3) % 4 == 0,
        "hcflow: needs an image [N,3,H,W] whose sides are multiples of 4, got ", hr.shape(),
        "; pad or crop it");
  Result result;
  if (with_log_det) result.log_det = Tensor::zeros({hr.size(0)}, hr.dtype(), hr.device());
  Tensor* const log_det = with_log_det ? &result.log_det : nullptr;
  const auto [y1, a1] = split_at(levels_[0].forward(hr, log_det, checkpoints_steps_), kept0);
  const auto [lr, a2] = split_at(levels_[1].forward(y1, log_det, checkpoints_steps_), kept1);
  const Tensor feature1 = detail1_.feature(lr);
  result.lr = lr;
  result.z2 = detail1_.forward(a2, feature1, log_det);
  result.z1 = detail0_.forward(a1, detail0_.feature(condition0(y1, feature1)), log_det);
  return result;
}

Tensor HcFlow::inverse(const Tensor& lr, const Tensor& z1, const Tensor& z2) const {
  const Tensor feature1 = detail1_.feature(lr);
  const Tensor y1 =
      levels_[1].inverse(concat({lr, detail1_.inverse(z2, feature1)}, 1), checkpoints_steps_);
  const Tensor feature0 = detail0_.feature(condition0(y1, feature1));
  return levels_[0].inverse(concat({y1, detail0_.inverse(z1, feature0)}, 1), checkpoints_steps_);
}

Tensor HcFlow::downscale(const Tensor& hr) const {
  const Tensor y1 = narrow(levels_[0].forward(hr, nullptr, false), 1, 0, kept0);
  return quantise(narrow(levels_[1].forward(y1, nullptr, false), 1, 0, kept1));
}

std::array<Shape, 2> HcFlow::noise_shapes(const Shape& lr) {
  return {Shape{lr[0], channels0 - kept0, 2 * lr[2], 2 * lr[3]},
          Shape{lr[0], channels1 - kept1, lr[2], lr[3]}};
}

Tensor HcFlow::upscale(const Tensor& lr, Generator* generator, int /*quality*/) const {
  check(lr.rank() == 4 && lr.size(1) == 3, "upscale: needs an image [N,3,H,W], got ", lr.shape());
  const auto [shape1, shape2] = noise_shapes(lr.shape());
  if (generator == nullptr)
    return inverse(lr, Tensor::zeros(shape1, lr.dtype(), lr.device()),
                   Tensor::zeros(shape2, lr.dtype(), lr.device()));
  const Tensor z1 = ops::normal(*generator, shape1, lr.dtype(), std::nullopt, lr.device());
  const Tensor z2 = ops::normal(*generator, shape2, lr.dtype(), std::nullopt, lr.device());
  return inverse(lr, z1, z2);
}

void HcFlow::checkpoint_blocks(bool on) {
  checkpoints_steps_ = on;
  for (ConditionalFlow* detail : {&detail0_, &detail1_}) detail->checkpoint_blocks(on);
}

}  // namespace mini::models
