// The JPEG simulator against the golden values, which were computed in float32.
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

using GoldenJpeg = test::OnEachDevice;

TEST_P(GoldenJpeg, MatchesPyTorch) {
  const auto folder = test::golden_folder();
  if (!folder) GTEST_SKIP() << "the folder of golden values is absent";
  const io::TensorFile file = io::read_safetensors(*folder / "diff_jpeg.safetensors");
  const auto salt = file.metadata.find("salt");
  const int order[] = {2, 0, 1};
  int qualities = 0;
  for (const auto& [name, expected] : file.tensors) {
    if (!name.ends_with(".out")) continue;
    const std::string quality = name.substr(0, name.find('.'));  // "q75"
    for (const DType dtype : {DType::float32, DType::float64}) {
      SCOPED_TRACE(concat_text(quality, " ", dtype));
      const Tensor image =
          ops::contiguous(ops::permute(ops::cast(file.tensors.at("image"), dtype), order));
      Tensor x = ops::to_device((ops::unsqueeze(image, 0) / 255.0).detach(), device);
      x.set_requires_grad();
      const Tensor y = diff_jpeg(x, std::stod(quality.substr(1)));
      EXPECT_LT(test::max_difference(y, expected), 1e-5);
      const Tensor loss = test::probe_loss(
          y, "probe.diffjpeg", salt == file.metadata.end() ? 0 : std::stoull(salt->second));
      EXPECT_LT(test::relative_error(grad({loss}, {x})[0], file.tensors.at(quality + ".grad")),
                2e-3);
    }
    ++qualities;
  }
  EXPECT_GT(qualities, 0);
}

INSTANTIATE_TEST_SUITE_P(Devices, GoldenJpeg, test::each_device(), test::device_name);

}  // namespace
}  // namespace mini
