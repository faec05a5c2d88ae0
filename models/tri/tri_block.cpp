#include "models/tri/tri_block.h"

#include "autograd/functions.h"

namespace mini::models {
namespace {

constexpr std::int64_t chroma = 2, luma = 1;

std::int64_t detail_of(std::int64_t channels) { return channels - chroma - luma; }

// σ(h) + σ(j)
Tensor log_scale(const Tensor& h, const Tensor& j, Tensors* log_scales) {
  const Tensor from_chroma = affine(sigmoid(h), 2, -1), from_luma = affine(sigmoid(j), 2, -1);
  if (log_scales != nullptr) log_scales->insert(log_scales->end(), {from_chroma, from_luma});
  return from_chroma + from_luma;
}

}  // namespace

TriBlock::TriBlock(std::int64_t channels, std::int64_t growth, Generator& generator)
    : e_(luma, chroma, growth, generator),
      f_(detail_of(channels), chroma, growth, generator),
      g_(chroma, detail_of(channels), growth, generator),
      h_(chroma, detail_of(channels), growth, generator),
      i_(luma, detail_of(channels), growth, generator),
      j_(luma, detail_of(channels), growth, generator),
      k_(chroma, luma, growth, generator),
      l_(detail_of(channels), luma, growth, generator) {
  register_module("E", e_);
  register_module("F", f_);
  register_module("G", g_);
  register_module("H", h_);
  register_module("I", i_);
  register_module("J", j_);
  register_module("K", k_);
  register_module("L", l_);
}

Branches TriBlock::forward(const Branches& x, Tensors* log_scales) const {
  Branches y;
  y.chroma = x.chroma + e_(x.luma) + f_(x.detail);
  y.luma = x.luma + k_(y.chroma) + l_(x.detail);
  const Tensor s = log_scale(h_(y.chroma), j_(y.luma), log_scales);
  y.detail = x.detail * exp(s) + g_(y.chroma) + i_(y.luma);
  return y;
}

Branches TriBlock::inverse(const Branches& y, Tensors* log_scales) const {
  Branches x;
  const Tensor s = log_scale(h_(y.chroma), j_(y.luma), log_scales);
  x.detail = (y.detail - g_(y.chroma) - i_(y.luma)) * exp(-s);
  x.luma = y.luma - k_(y.chroma) - l_(x.detail);
  x.chroma = y.chroma - f_(x.detail) - e_(x.luma);
  return x;
}

}  // namespace mini::models
