// Quantisation and mixture sampling against the golden values.
#include <gtest/gtest.h>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "io/safetensors.h"
#include "tensor/view.h"
#include "tests/support/devices.h"
#include "tests/support/golden.h"
#include "tests/support/support.h"

namespace mini {
namespace {

using GoldenMixture = test::OnEachDevice;

std::uint64_t salt_of(const io::TensorFile& file) {
  const auto found = file.metadata.find("salt");
  return found == file.metadata.end() ? 0 : std::stoull(found->second);
}

TEST_P(GoldenMixture, SamplesAsPyTorch) {
  const auto folder = test::golden_folder();
  if (!folder) GTEST_SKIP() << "the folder of golden values is absent";
  const io::TensorFile file = io::read_safetensors(*folder / "quantize_gmm.safetensors");
  Tensor parameters = ops::clone(ops::to_device(file.tensors.at("gmm.para"), device));
  parameters.set_requires_grad();
  const Tensor z =
      sample_mixture(parameters, ops::to_device(file.tensors.at("gmm.exponential"), device),
                     ops::to_device(file.tensors.at("gmm.normal"), device));
  EXPECT_LT(test::relative_error(z, file.tensors.at("gmm.sample")), 1e-9);
  const Tensor loss = test::probe_loss(z, "probe.gmm", salt_of(file));
  for (const bool create_graph : {false, true}) {
    const Tensor gradient =
        grad({loss}, {parameters}, {}, {.retain_graph = true, .create_graph = create_graph})[0];
    EXPECT_LT(test::relative_error(gradient, file.tensors.at("gmm.grad")), 1e-9);
  }
}

TEST_P(GoldenMixture, QuantisesAsPyTorch) {
  const auto folder = test::golden_folder();
  if (!folder) GTEST_SKIP() << "the folder of golden values is absent";
  const io::TensorFile file = io::read_safetensors(*folder / "quantize_gmm.safetensors");
  Tensor x = ops::clone(ops::to_device(file.tensors.at("quant.in"), device));
  x.set_requires_grad();
  const Tensor y = quantise(x);
  EXPECT_LT(test::max_difference(y, file.tensors.at("quant.out")), 1e-7);
  backward(test::probe_loss(y, "probe.quant", salt_of(file)));
  EXPECT_LT(test::max_difference(x.grad(), file.tensors.at("quant.grad")), 1e-7);
}

INSTANTIATE_TEST_SUITE_P(Devices, GoldenMixture, test::each_device(), test::device_name);

}  // namespace
}  // namespace mini
