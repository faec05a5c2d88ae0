#include "models/hcflow/conditional_flow.h"

#include "autograd/functions.h"
#include "models/upscale/rrdb.h"
#include "nn/checkpointed.h"
#include "nn/init.h"
#include "tensor/view.h"

namespace mini::models {
namespace {

void initialise_xavier(const nn::Module& module, Generator& generator) {
  for (const Tensor& parameter : module.parameters())
    if (parameter.rank() == 4 && parameter.size(0) > 1)
      ops::copy(nn::xavier_normal(parameter.shape(), 0.1, generator), parameter);
}

Tensor permuted(const Tensor& x, const Tensor& matrix) {
  return conv2d(x, reshape(matrix, {matrix.size(0), matrix.size(1), 1, 1}));
}

}  // namespace

ConditionalStep::ConditionalStep(std::int64_t channels, const ConditionalFlowOptions& options,
                                 Generator& generator)
    : actnorm_(channels),
      permutation_(nn::orthogonal(channels, generator)),
      conv1_(channels / 2 + options.features, options.hidden, 3),
      conv2_(options.hidden, options.hidden, 1),
      conv3_(options.hidden, 2 * (channels - channels / 2)) {
  register_module("actnorm", actnorm_);
  register_parameter("permute.weight", permutation_);
  register_module("affine.f.conv1", conv1_);
  register_module("affine.f.conv2", conv2_);
  register_module("affine.f.conv3", conv3_);
  for (const nn::Conv2d* conv : {&conv1_, &conv2_})
    ops::copy(nn::xavier_normal(conv->weight.shape(), 0.1, generator), conv->weight);
}

std::pair<Tensor, Tensor> ConditionalStep::coupling(const Tensor& z1, const Tensor& feature) const {
  const Tensor hidden = relu(conv2_(relu(conv1_(concat({z1, feature}, 1)))));
  const auto [shift, scale] = interleaved(conv3_(hidden));
  return {shift, gentle_log_scale(scale)};
}

Tensor ConditionalStep::forward(const Tensor& x, const Tensor& feature, Tensor* log_det) const {
  const Tensor z = permuted(actnorm_(x), permutation_);
  const Tensor z1 = narrow(z, 1, 0, kept()), z2 = narrow(z, 1, kept(), z.size(1) - kept());
  const auto [shift, g] = coupling(z1, feature);
  if (log_det != nullptr) {
    const auto pixels = static_cast<double>(x.size(2) * x.size(3));
    add_log_det(actnorm_.log_det(x.shape()) + log_abs_det(permutation_) * pixels, log_det);
    add_log_det(sum(g, std::vector<int>{1, 2, 3}), log_det);
  }
  return concat({z1, (z2 + shift) * exp(g)}, 1);
}

Tensor ConditionalStep::inverse(const Tensor& y, const Tensor& feature) const {
  const Tensor z1 = narrow(y, 1, 0, kept()), y2 = narrow(y, 1, kept(), y.size(1) - kept());
  const auto [shift, g] = coupling(z1, feature);
  const Tensor z = concat({z1, y2 * exp(-g) - shift}, 1);
  return actnorm_.inverse(permuted(z, mini::inverse(permutation_)));
}

ConditionalFlow::ConditionalFlow(std::int64_t channels, std::int64_t condition,
                                 const ConditionalFlowOptions& options, Generator& generator)
    : first_(condition, options.features, 3, nn::same_size(3)),
      trunk_end_(options.features, options.features, 3, nn::same_size(3)),
      prior_(options.features, 2 * channels) {
  register_module("conv_first", first_);
  register_module("RRDB_trunk0", trunk0_);
  register_module("RRDB_trunk1", trunk1_);
  register_module("trunk_conv1", trunk_end_);
  for (std::int64_t i = 0; i < options.trunk_blocks0; ++i)
    trunk0_.append<Rrdb>(options.features, options.growth, generator, "RDB");
  for (std::int64_t i = 0; i < options.trunk_blocks1; ++i)
    trunk1_.append<Rrdb>(options.features, options.growth, generator, "RDB");
  for (std::int64_t i = 0; i < options.steps; ++i) {
    steps_.push_back(std::make_unique<ConditionalStep>(channels, options, generator));
    register_module(concat_text("additional_flow_steps.", i), *steps_.back());
  }
  register_module("f", prior_);
  nn::initialise_as_pytorch(first_, generator);
  nn::initialise_as_pytorch(trunk_end_, generator);
  initialise_xavier(trunk0_, generator);
  initialise_xavier(trunk1_, generator);
}

Tensor ConditionalFlow::feature(const Tensor& u) const {
  const Tensor shallow = first_(u);
  return trunk_end_(trunk1_(trunk0_(shallow))) + shallow;
}

Tensor ConditionalFlow::forward(const Tensor& a, const Tensor& feature, Tensor* log_det) const {
  Tensor z = a;
  for (const auto& step : steps_) {
    if (checkpoints_steps_ && log_det == nullptr)
      z = nn::checkpointed(*step, {z, feature}, [&step](const Tensors& in) -> Tensors {
        return {step->forward(in[0], in[1], nullptr)};
      })[0];
    else
      z = step->forward(z, feature, log_det);
  }
  const auto [mean, scale] = interleaved(prior_(feature));
  const Tensor g = gentle_log_scale(scale);
  if (log_det != nullptr) add_log_det(-sum(g, std::vector<int>{1, 2, 3}), log_det);
  return (z - mean) * exp(-g);
}

Tensor ConditionalFlow::inverse(const Tensor& z, const Tensor& feature) const {
  const auto [mean, scale] = interleaved(prior_(feature));
  Tensor a = mean + exp(gentle_log_scale(scale)) * z;
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    const ConditionalStep& one = **step;
    if (checkpoints_steps_)
      a = nn::checkpointed(one, {a, feature}, [&one](const Tensors& in) -> Tensors {
        return {one.inverse(in[0], in[1])};
      })[0];
    else
      a = one.inverse(a, feature);
  }
  return a;
}

void ConditionalFlow::checkpoint_blocks(bool on) {
  checkpoints_steps_ = on;
  trunk0_.checkpoint_layers(on);
  trunk1_.checkpoint_layers(on);
}

}  // namespace mini::models
