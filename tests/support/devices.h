// Tests that run on the CPU and on a GPU. Write TEST_P for a class derived from OnEachDevice, and
//   INSTANTIATE_TEST_SUITE_P(Devices, ..., test::each_device(), test::device_name);
// Without a GPU, its tests are skipped and say why.
#pragma once

#include <gtest/gtest.h>

#include "tensor/allocator.h"
#include "tensor/error.h"

namespace mini::test {

class OnEachDevice : public ::testing::TestWithParam<Device> {
 protected:
  void SetUp() override {
    try {
      allocator(device);
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }

  const Device device = GetParam();
};

inline auto each_device() {
  return ::testing::Values(Device{DeviceType::cpu, 0}, Device{DeviceType::cuda, 0});
}

inline std::string device_name(const ::testing::TestParamInfo<Device>& info) {
  return info.param.is_cpu() ? "Cpu" : "Cuda";
}

}  // namespace mini::test
