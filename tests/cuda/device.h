// Tests on a GPU. Without one they are skipped and say why.
#pragma once

#include <gtest/gtest.h>

#include "ops/precision.h"
#include "tensor/allocator.h"
#include "tensor/queue.h"
#ifdef MINI_CUDA_EMULATED
#include "tensor/backend.h"
#include "tests/cuda_emulator/emulator.h"
#endif

namespace mini::test {

// Calls f twice. On the emulated device, the threads of a block run in falling, then in rising
// order. The results of f must not depend on this.
template <class F>
void in_both_orders([[maybe_unused]] Device device, const F& f) {
#ifdef MINI_CUDA_EMULATED
  for (const auto order : {emulator::Order::falling, emulator::Order::rising}) {
    emulator::set_order(order);
    f();
    synchronize(device);
  }
#else
  f();
  f();
#endif
}

// Sets the precision of products for a scope.
class Precision {
 public:
  explicit Precision(ops::Products products) { ops::set_products(products); }
  ~Precision() { ops::set_products(ops::Products::full); }
  Precision(const Precision&) = delete;
  Precision& operator=(const Precision&) = delete;
};

class CudaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      allocator(device);
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }

  const Device device{DeviceType::cuda, 0};
};

}  // namespace mini::test
