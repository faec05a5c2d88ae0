// A small recipe of three updates, for tests: an upscaler and a critic that learn from each other, and
// a penalty on the critic's gradient, by double backward.
//
//   generator  every step    mean |HR - G(LR)| + mean softplus(-C(G(LR)))
//   critic     every second  mean softplus(C(G(LR))) + mean softplus(-C(HR))
//   penalty    every third   mean |∇ C(HR)|², with the critic's optimiser
#pragma once

#include <functional>
#include <memory>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "tensor/view.h"
#include "train/recipe.h"

namespace mini::test {

class ToyUpscaler : public models::Rescaler {
 public:
  explicit ToyUpscaler(Generator& generator) : conv_(3, 3, 3, {.padding = {1, 1}}) {
    register_module("conv", conv_);
    ops::copy(nn::xavier_normal(conv_.weight.shape(), 0.3, generator), conv_.weight);
  }
  std::string name() const override { return "toy"; }
  std::int64_t scale() const override { return 2; }
  Tensor upscale(const Tensor& lr, Generator* /*generator*/, int /*quality*/) const override {
    const Tensor large = resize_bicubic(lr, 2);
    return large + conv_(large);
  }

 private:
  nn::Conv2d conv_;
};

class ToyCritic : public nn::Module {
 public:
  explicit ToyCritic(Generator& generator) : first_(3, 4, 3, {.stride = {2, 2}}), second_(4, 1, 3) {
    register_module("first", first_);
    register_module("second", second_);
    for (nn::Conv2d* conv : {&first_, &second_})
      ops::copy(nn::xavier_normal(conv->weight.shape(), 1, generator), conv->weight);
  }
  Tensor operator()(const Tensor& x) const { return second_(tanh(first_(x))); }

 private:
  nn::Conv2d first_, second_;
};

class AdversarialRecipe : public train::Recipe {
 public:
  // Called with each update's number and its losses, which it may alter.
  using Look = std::function<void(AdversarialRecipe&, std::size_t update, train::Losses&)>;

  explicit AdversarialRecipe(Generator& generator, Look look = nullptr)
      : upscaler_(generator), critic_(generator), look_(std::move(look)) {
    all_.add("generator", upscaler_);
    all_.add("critic", critic_);
  }

  nn::Module& modules() override { return all_; }
  models::Rescaler& network() override { return upscaler_; }
  std::string network_prefix() const override { return "generator."; }
  const nn::Module& critic() const { return critic_; }

  std::vector<train::Update> updates() const override {
    return {{"generator", upscaler_.named_parameters(), "generator"},
            {"critic", critic_.named_parameters(), "critic", 2},
            {"penalty", critic_.named_parameters(), "critic", 3}};
  }
  std::optional<int> variant(std::size_t update, Generator& generator) const override {
    return update == 0 ? static_cast<int>(generator.next_below(2)) : 0;
  }

  train::Losses losses(std::size_t update, const train::Batch& batch, std::optional<int> variant,
                       Generator& generator, train::Share share) override {
    train::Losses losses = losses_of(update, batch, variant, generator, share);
    if (look_) look_(*this, update, losses);
    return losses;
  }

 private:
  struct All : nn::Module {
    void add(const std::string& name, nn::Module& part) { register_module(name, part); }
  };

  train::Losses losses_of(std::size_t update, const train::Batch& batch, std::optional<int> variant,
                          Generator& generator, train::Share share) {
    if (update == 2) {
      const Tensor real = batch.hr.detach().set_requires_grad();
      const Tensor slope = grad({sum(critic_(real))}, {real}, {}, {.create_graph = true})[0];
      return {sum(square(slope)) * (1.0 / static_cast<double>(real.size(0))), {}};
    }
    const Tensor fake =
        upscaler_.upscale(noisy(batch.lr_reference, generator, share), nullptr, 100);
    if (update == 1)
      return {mean(softplus(critic_(fake))) + mean(softplus(neg(critic_(batch.hr)))), {}};
    const Tensor difference = batch.hr - fake;  // the variants differ in their ops
    const Tensor pixels = *variant == 0 ? mean(abs(difference)) : mean(square(difference));
    const Tensor adversary = mean(softplus(neg(critic_(fake))));
    return {pixels + adversary, {{"pixels", pixels.detach()}, {"adversary", adversary.detach()}}};
  }

  // The share's part of noise for the whole batch.
  static Tensor noisy(const Tensor& x, Generator& generator, train::Share share) {
    Shape whole = x.shape();
    whole[0] *= share.count;
    const ops::DrawPart part{0, share.index * x.size(0), x.size(0)};
    return x + ops::normal(generator, whole, x.dtype(), part, x.device()) * 0.01;
  }

  All all_;
  ToyUpscaler upscaler_;
  ToyCritic critic_;
  Look look_;
};

}  // namespace mini::test
