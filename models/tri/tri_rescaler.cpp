#include "models/tri/tri_rescaler.h"

#include "autograd/functions.h"
#include "autograd/node.h"
#include "models/invertible/log_det.h"
#include "models/invertible/recognise.h"
#include "nn/checkpointed.h"

namespace mini::models {
namespace {

// RGB in the first three channels, then the detail.
Branches to_branches(const Tensor& x) {
  const auto colour = [&](std::int64_t c) { return narrow(x, 1, c, 1); };
  const Tensor r = colour(0), g = colour(1), b = colour(2);
  const Tensor y = r * 0.299 + g * 0.587 + b * 0.114;
  const Tensor cb = r * -0.168736 + g * -0.331264 + b * 0.5 + 0.5;
  const Tensor cr = r * 0.5 + g * -0.418688 + b * -0.081312 + 0.5;
  return {concat({cb, cr}, 1), narrow(x, 1, image_channels, x.size(1) - image_channels), y};
}

// "" or "_2", behind the names of a level's modules.
std::string suffix_of(std::size_t level) { return level == 0 ? "" : "_2"; }

}  // namespace

TriRescaler::TriRescaler(const Structure& structure, const char* network, Generator& generator)
    : scale_(structure.scale), clamp_inside_(structure.clamp_inside) {
  check(scale_ == 2 || scale_ == 4, network, ": scale must be 2 or 4, got ", scale_);
  const std::size_t levels = scale_ == 2 ? 1 : 2;
  std::int64_t channels = image_channels;
  const auto fill = [&](Blocks& blocks, const std::string& name, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      blocks.push_back(std::make_unique<TriBlock>(channels, structure.growth, generator));
      register_module(concat_text(name, '.', i), *blocks.back());
    }
  };
  for (std::size_t i = 0; i < levels; ++i) {
    Level level{std::make_unique<HaarDownsampling>(channels), {}};
    channels *= 4;
    register_module("haar_operations" + suffix_of(i) + ".0", *level.haar);
    fill(level.down, "down_operations" + suffix_of(i), structure.down_blocks.at(i));
    levels_.push_back(std::move(level));
  }
  fill(comp_, "comp_operations", structure.comp_blocks);
}

Tensor TriRescaler::to_rgb(const Branches& x) const {
  const Tensor cb = narrow(x.chroma, 1, 0, 1) - 0.5, cr = narrow(x.chroma, 1, 1, 1) - 0.5;
  const Tensor rgb =
      concat({x.luma + cr * 1.402, x.luma - cb * 0.344136 - cr * 0.714136, x.luma + cb * 1.772}, 1);
  return clamp_inside_ ? clamp(rgb, 0, 1) : rgb;
}

Branches TriRescaler::run(const Blocks& blocks, Way way, Branches x, Tensors* log_scales) const {
  const auto apply = [way](const TriBlock& block, const Branches& in, Tensors* scales) {
    return way == Way::forward ? block.forward(in, scales) : block.inverse(in, scales);
  };
  const std::size_t count = blocks.size();
  for (std::size_t i = 0; i < count; ++i) {
    const TriBlock& block = *blocks[way == Way::forward ? i : count - 1 - i];
    if (log_scales != nullptr || memory() == MemoryMode::stored || !grad_enabled()) {
      x = apply(block, x, log_scales);
      continue;
    }
    const Tensors y = nn::checkpointed(
        block, {x.chroma, x.detail, x.luma}, [&block, apply](const Tensors& in) -> Tensors {
          const Branches out = apply(block, {in[0], in[1], in[2]}, nullptr);
          return {out.chroma, out.detail, out.luma};
        });
    x = {y[0], y[1], y[2]};
  }
  return x;
}

FlowResult TriRescaler::forward(const Tensor& x, bool with_log_det,
                                const Tensor& /*condition*/) const {
  check(x.rank() == 4 && x.size(1) == 3 && x.size(2) % scale_ == 0 && x.size(3) % scale_ == 0,
        name(), ": needs an image [N,3,H,W] whose sides are multiples of ", scale_, ", got ",
        x.shape(), "; pad or crop it");
  LogDet log_det(+1, x.size(0));
  Tensors scales;
  Tensors* const wanted = with_log_det ? &scales : nullptr;
  FlowResult result{.out = x, .lr = {}, .log_det = {}};
  for (const Level& level : levels_) {
    log_det.add_haar(result.out.shape());
    Branches y = run(level.down, Way::forward, to_branches(haar(result.out)), wanted);
    result.lr = to_rgb(y);
    if (&level == &levels_.back() && !comp_.empty()) {
      y = run(comp_, Way::forward, y, wanted);
      result.out = concat({to_rgb(y), y.detail}, 1);
    } else {
      result.out = concat({result.lr, y.detail}, 1);
    }
  }
  for (const Tensor& s : scales) log_det.add_coupling(s);
  if (with_log_det) result.log_det = log_det.total(x);
  return result;
}

FlowResult TriRescaler::inverse(const Tensor& y, bool with_log_det,
                                const Tensor& /*condition*/) const {
  check(y.rank() == 4 && y.size(1) == image_channels * scale_ * scale_, name(),
        ": needs LR and its latent, [N,", image_channels * scale_ * scale_, ",h,w], got ",
        y.shape());
  LogDet log_det(-1, y.size(0));
  Tensors scales;
  Tensors* const wanted = with_log_det ? &scales : nullptr;
  FlowResult result{.out = y, .lr = {}, .log_det = {}};
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
    Branches x = to_branches(result.out);
    if (level == levels_.rbegin()) {
      x = run(comp_, Way::inverse, x, wanted);
      result.lr = to_rgb(x);
    }
    x = run(level->down, Way::inverse, x, wanted);
    result.out = haar_inverse(concat({to_rgb(x), x.detail}, 1));
    log_det.add_haar(result.out.shape());
  }
  for (const Tensor& s : scales) log_det.add_coupling(s);
  if (with_log_det) result.log_det = log_det.total(y);
  return result;
}

Tensor TriRescaler::sample_latent(const Shape& shape, Generator& /*generator*/,
                                  std::optional<ops::DrawPart> part) const {
  Shape drawn = shape;
  if (part) drawn[static_cast<std::size_t>(part->dim)] = part->length;
  const Tensor any = parameters().front();
  return Tensor::zeros(drawn, any.dtype(), any.device());
}

bool TriRescaler::is_tri(const nn::StateDict& state) {
  return state.contains("down_operations.0.K.conv1.weight") &&
         state.contains("down_operations.0.L.conv1.weight");
}

TriRescaler::Structure TriRescaler::structure_of(const nn::StateDict& state) {
  Structure structure;
  const std::int64_t levels = state.contains("haar_operations_2.0.haar_weights") ? 2 : 1;
  std::int64_t blocks = 0;
  for (std::int64_t i = 0; i < levels; ++i) {
    structure.down_blocks.push_back(count_blocks(
        state, "down_operations" + suffix_of(static_cast<std::size_t>(i)), "K.conv1.weight"));
    check(structure.down_blocks.back() > 0, "model: the weights have no blocks");
    blocks += structure.down_blocks.back();
  }
  structure.comp_blocks = count_blocks(state, "comp_operations", "K.conv1.weight");
  structure.growth = growth_of(state, "down_operations.0.K.conv1.weight");
  structure.scale =
      plausible_scale(state, levels, 8 * (blocks + structure.comp_blocks), structure.growth);
  return structure;
}

}  // namespace mini::models
