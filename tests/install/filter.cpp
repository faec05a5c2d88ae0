// The example in README: learns a 3x3 filter from its effect.
#include <iostream>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "ops/elementwise.h"
#include "tensor/random.h"

int main() {
  using namespace mini;
  Generator random{1};
  const Conv2dParams same{.padding = {1, 1}};
  const Tensor x = ops::normal(random, {4, 1, 16, 16});
  const Tensor blurred = conv2d(x, Tensor::full({1, 1, 3, 3}, 1.0 / 9), {}, same);
  Tensor filter = Tensor::zeros({1, 1, 3, 3}).set_requires_grad();
  for (int step = 0; step < 100; ++step) {
    filter.set_grad({});
    backward(mse_loss(conv2d(x, filter, {}, same), blurred));
    ops::add_(filter, filter.grad(), -0.1);
  }
  std::cout << filter << '\n';  // 0.11111 nine times
}
