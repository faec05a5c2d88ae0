// CAR & EDSR as one network: sizes, names, recognition.
#include "models/car/car.h"

#include "models/registry.h"
#include "tests/models/upscaler.h"

namespace mini {
namespace {

using models::Car, models::CarOptions;

const CarOptions small{
    .kernel_features = 4, .kernel_blocks = 1, .blocks = 1, .features = 4, .residual_scale = 1};

TEST(Car, MakesImagesOfAnySizeSmallAndLargeAgain) {
  const NoGrad no_grad;
  Generator generator{1};
  for (const std::int64_t scale : {2, 4}) {
    CarOptions options = small;
    options.scale = scale;
    const Car car(options, generator);
    for (const Shape& hr : {Shape{1, 3, 32, 48}, Shape{1, 3, 4, 4}, Shape{2, 3, 20, 28}}) {
      const Tensor image = ops::uniform(generator, hr), lr = car.downscale(image);
      EXPECT_EQ(lr.shape(), (Shape{hr[0], 3, hr[2] / scale, hr[3] / scale}));
      EXPECT_TRUE(test::equal_bits(quantise(lr), lr));
      EXPECT_EQ(car.upscale(lr).shape(), hr);
    }
  }
  const Car car(small, generator);
  EXPECT_EQ(test::error_of([&] {
              static_cast<void>(car.downscale(Tensor::zeros({1, 3, 9, 8})));
            }),
            "car: the sides of [1,3,9,8] must be multiples of 2; pad or crop it");
}

// Where the sides fit, LR is what the kernel network makes of the image itself.
TEST(Car, UsesItsKernelNetwork) {
  const NoGrad no_grad;
  Generator generator{1};
  const Car car(small, generator);
  const Tensor hr = ops::uniform(generator, {1, 3, 24, 32});
  const auto& kernels = car.kernel_network();
  EXPECT_TRUE(test::equal_bits(car.downscale(hr), quantise(kernels.resample(hr, kernels(hr)))));
}

TEST(Car, IsRecognisedByTheAuthorsNames) {
  Generator generator{1};
  const Car car(small, generator);
  const nn::StateDict state = car.state_dict();
  for (const char* name : {"kgn.res_4.0.transform.1.weight", "kgn.offsets_v_generation.4.bias",
                           "usn.head.0.weight", "usn.sub_mean.bias"})
    EXPECT_TRUE(state.contains(name)) << name;
  const models::NetworkConfig found = models::recognise_network(state);
  EXPECT_EQ(found.name(), "car");
  EXPECT_EQ(found.options<CarOptions>().kernel_blocks, 1);
  EXPECT_EQ(test::names(found.make(generator)->state_dict()), test::names(state));
}

}  // namespace
}  // namespace mini
