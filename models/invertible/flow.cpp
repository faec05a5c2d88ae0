#include "models/invertible/flow.h"

#include "autograd/functions.h"
#include "models/invertible/log_det.h"

namespace mini::models {
namespace {

// A chain on a tensor whose halves are its first and its other channels.
ChainResult run(const std::vector<Coupling>& chain, const Tensor& x, const Flow::Options& options,
                std::optional<Tap> tap) {
  return run_chain(chain, narrow(x, 1, 0, image_channels),
                   narrow(x, 1, image_channels, x.size(1) - image_channels),
                   {.memory = options.memory, .tap = tap, .log_scales = options.log_det});
}

}  // namespace

void Flow::Level::append(const InvertibleBlock& block, const Tensor& condition) {
  for (Coupling& layer : block.couplings(condition)) chain.push_back(std::move(layer));
}

Flow Flow::to_lr() const {
  Flow part = *this;
  std::vector<Coupling>& chain = part.levels.back().chain;
  chain.resize(lr.layers);
  while (!chain.empty() && chain.back().changed != lr.half) chain.pop_back();
  part.lr.layers = chain.size();
  return part;
}

FlowResult Flow::forward(const Tensor& x, const Options& options) const {
  LogDet log_det(+1, x.size(0));
  FlowResult pass{.out = x, .lr = {}, .log_det = {}};
  for (const Level& level : levels) {
    for (int i = 0; i < level.haar; ++i) {
      log_det.add_haar(pass.out.shape());
      pass.out = haar(pass.out);
    }
    const bool last = &level == &levels.back();
    const ChainResult result =
        run(level.chain, pass.out, options, last ? std::optional(lr) : std::nullopt);
    for (const Tensor& s : result.log_scales) log_det.add_coupling(s);
    pass.out = concat({result.x1, result.x2}, 1);
    pass.lr = result.tapped;
  }
  if (options.log_det) pass.log_det = log_det.total(x);
  return pass;
}

FlowResult Flow::inverse(const Tensor& y, const Options& options) const {
  LogDet log_det(-1, y.size(0));
  FlowResult pass{.out = y, .lr = {}, .log_det = {}};
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    const bool last = level == levels.rbegin();
    const ChainResult result =
        run(models::inverse(level->chain), pass.out, options,
            last ? std::optional(lr.in_inverse(level->chain.size())) : std::nullopt);
    for (const Tensor& s : result.log_scales) log_det.add_coupling(s);
    if (last) pass.lr = result.tapped;
    pass.out = concat({result.x1, result.x2}, 1);
    for (int i = 0; i < level->haar; ++i) {
      pass.out = haar_inverse(pass.out);
      log_det.add_haar(pass.out.shape());
    }
  }
  if (options.log_det) pass.log_det = log_det.total(y);
  return pass;
}

}  // namespace mini::models
