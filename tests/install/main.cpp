// Uses an installed mini: a gradient, and an image downscaled and upscaled by SAIN.
#include <cmath>
#include <iostream>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "models/registry.h"

int main() {
  using namespace mini;
  Tensor x = Tensor::full({2, 3}, 2.0).set_requires_grad();
  backward(sum(square(x)));
  Generator generator{10};
  const auto sain = models::NetworkConfig("sain").make(generator);
  const NoGrad no_grad;
  const Tensor hr = ops::uniform(generator, {1, 3, 16, 16});
  const Tensor again = sain->upscale(sain->downscale(hr));
  std::cout << x.grad() << again.shape() << '\n';
  const bool right = x.grad().to_vector()[0] == 4 && again.shape() == hr.shape();
  return right ? 0 : 1;
}
