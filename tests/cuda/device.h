// Tests on a GPU: skipped, with the reason, where there is none.
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

// Calls f with the threads of a block in rising, then in falling order where the device is emulated;
// else just twice. What f computes must not change.
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

// While it lives, products are computed so.
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
