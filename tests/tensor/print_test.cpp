// The text form of tensors and devices.
#include <sstream>

#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini {
namespace {

std::string text_of(const Tensor& x) {
  std::ostringstream text;
  text << x;
  return text.str();
}

TEST(Print, Values) {
  EXPECT_EQ(text_of(Tensor()), "Tensor(undefined)");
  EXPECT_EQ(text_of(Tensor::scalar(1.5)), "Tensor([], float32)\n1.5");
  EXPECT_EQ(text_of(Tensor::from(std::vector<double>{1, -2.25, 1e-9}, {3})),
            "Tensor([3], float64)\n[1, -2.25, 1e-09]");
  EXPECT_EQ(text_of(ops::reshape(Tensor::arange(4), {2, 2})),
            "Tensor([2,2], int64)\n[[0, 1],\n [2, 3]]");
  EXPECT_EQ(text_of(Tensor::zeros({2, 0})), "Tensor([2,0], float32)\n[[],\n []]");
  EXPECT_EQ(text_of(Tensor::full({1}, 123456789, DType::int64)), "Tensor([1], int64)\n[123456789]");
}

TEST(Print, FollowsTheViewNotTheMemory) {
  EXPECT_EQ(text_of(ops::transpose(ops::reshape(Tensor::arange(4), {2, 2}), 0, 1)),
            "Tensor([2,2], int64)\n[[0, 2],\n [1, 3]]");
}

TEST(Print, LeavesOutTheMiddleOfLongDimensions) {
  EXPECT_EQ(text_of(Tensor::arange(12)),
            "Tensor([12], int64)\n[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]");
  EXPECT_EQ(text_of(Tensor::arange(1000)), "Tensor([1000], int64)\n[0, 1, 2, ..., 997, 998, 999]");
  EXPECT_EQ(text_of(ops::reshape(Tensor::arange(13), {13, 1})),
            "Tensor([13,1], int64)\n[[0],\n [1],\n [2],\n ...,\n [10],\n [11],\n [12]]");
}

TEST(Device, ParsesAndPrints) {
  EXPECT_EQ(parse_device("cpu"), Device{});
  EXPECT_EQ(parse_device("cuda"), (Device{DeviceType::cuda, 0}));
  EXPECT_EQ(parse_device("cuda:12"), (Device{DeviceType::cuda, 12}));
  for (const char* text : {"", "CPU", "cuda:", "cuda:-1", "cuda:1x", "cuda: 1", "gpu"})
    EXPECT_EQ(test::error_of([&] { parse_device(text); }),
              concat_text("device: '", text, "' is none of cpu, cuda, cuda:0, cuda:1, ..."));
  for (const char* text : {"cpu", "cuda:0", "cuda:3"})
    EXPECT_EQ(to_string(parse_device(text)), text);
}

}  // namespace
}  // namespace mini
