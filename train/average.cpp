#include "train/average.h"

#include "ops/elementwise.h"
#include "tensor/view.h"

namespace mini::train {
namespace {

nn::StateDict copy_of(const nn::StateDict& state) {
  nn::StateDict copy;
  for (const auto& [name, tensor] : state) copy.emplace(name, ops::clone(tensor));
  return copy;
}

void copy_into(const nn::StateDict& from, const nn::StateDict& to) {
  for (const auto& [name, tensor] : to) ops::copy(from.at(name), tensor);
}

}  // namespace

WeightAverage::WeightAverage(const nn::Module& module, double decay)
    : module_(module), decay_(decay), average_(copy_of(module.state_dict())) {
  check(decay > 0 && decay < 1, "train.ema: must be in (0, 1), got ", decay);
}

void WeightAverage::update() {
  for (const auto& [name, tensor] : module_.named_buffers()) ops::copy(tensor, average_.at(name));
  for (const auto& [name, tensor] : module_.named_parameters()) {
    const Tensor& average = average_.at(name);
    ops::copy(ops::unary(Unary::affine, average, decay_, 0), average);
    ops::add_(average, tensor.detach(), 1 - decay_);
  }
}

void WeightAverage::load_state(const nn::StateDict& state) {
  for (const auto& [name, tensor] : average_) {
    const auto found = state.find(name);
    check(found != state.end() && found->second.shape() == tensor.shape(),
          "train: the saved average of the weights has no ", name, " of shape ", tensor.shape());
  }
  copy_into(state, average_);
}

WeightAverage::InUse::InUse(WeightAverage& average)
    : average_(average), own_(copy_of(average.module_.state_dict())) {
  copy_into(average_.average_, average_.module_.state_dict());
}

WeightAverage::InUse::~InUse() { copy_into(own_, average_.module_.state_dict()); }

}  // namespace mini::train
