// Tests on a GPU: skipped, with the reason, where there is none.
#pragma once

#include <gtest/gtest.h>

#include "tensor/allocator.h"

namespace mini::test {

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
