// Training steps of SAIN against PyTorch: losses, gradient norm, and all parameters after each
// update, in float64. In float32 only the first step is compared, since trajectories diverge
// afterwards.
#include <array>
#include <cmath>
#include <sstream>

#include "autograd/engine.h"
#include "io/safetensors.h"
#include "models/sain/sain.h"
#include "nn/optimizer.h"
#include "ops/elementwise.h"
#include "tensor/view.h"
#include "tests/support/golden.h"
#include "tests/support/support.h"
#include "train/recipes/sain.h"

namespace mini {
namespace {

// The noise of the golden files for a step: exponential and normal, of shape [N,C,H,W,5].
Tensor noise_exponential(const std::string& step, const Shape& shape, std::uint64_t salt) {
  const Tensor uniform = test::hash_uniform(step + ".exponential", shape, salt);
  Tensor result = Tensor::empty(shape, DType::float64);
  for (std::int64_t i = 0; i < shape.numel(); ++i)
    result.data<double>()[i] = -std::log(0.5 + 0.5 * uniform.data<double>()[i] + 1e-9);
  return result;
}

Tensor noise_normal(const std::string& step, const Shape& shape, std::uint64_t salt) {
  return ops::unary(Unary::affine, test::hash_uniform(step + ".normal", shape, salt),
                    std::sqrt(3.0));
}

std::vector<std::string> lines_of(const Tensor& bytes) {
  std::istringstream text(
      std::string(reinterpret_cast<const char*>(bytes.raw_data()), bytes.bytes()));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

class GoldenTraining
    : public testing::TestWithParam<std::tuple<std::string, DType, models::MemoryMode>> {};

TEST_P(GoldenTraining, FollowsPyTorchStepByStep) {
  if (!test::golden_folder()) GTEST_SKIP() << "no golden values (set MINI_GOLDEN)";
  const auto& [name, dtype, memory] = GetParam();
  const bool exact = dtype == DType::float64;
  const double tolerance = exact ? 1e-8 : 1e-3;
  const auto file = io::read_safetensors(*test::golden_folder() / (name + ".safetensors"));
  const auto& expected = file.tensors;
  const auto salt = static_cast<std::uint64_t>(
      file.metadata.contains("salt") ? std::stoull(file.metadata.at("salt")) : 0);
  const int quality = std::stoi(file.metadata.at("quality"));

  Generator generator{1};
  const models::SainOptions config{.scale = std::stoll(file.metadata.at("scale"))};
  const auto network = std::make_shared<models::Sain>(config, generator);
  models::Sain& net = *network;
  net.to(DType::float64);
  test::set_golden_weights(net, salt);
  net.to(dtype);
  net.to(test::device());

  // uint8 NHWC -> [0,1] NCHW; the reference LR is a float32 NHWC already.
  constexpr std::array<int, 4> to_nchw{0, 3, 1, 2};
  const auto images = [&, dtype = dtype](const std::string& key) {
    return test::on_device(
        ops::contiguous(ops::permute(ops::cast(expected.at(key), dtype), to_nchw)));
  };
  const Tensor hr = ops::unary(Unary::affine, images("hr"), 1.0 / 255);
  const Tensor reference = images("lr_ref");

  train::SainRecipe::Options options;
  options.lambda_forw = config.scale == 2 ? 4 : 16;
  options.memory = memory;
  options.format = io::parse_image_format(file.metadata.at("format"));
  const train::SainRecipe recipe(options, network, generator);
  const auto adam = nn::make_optimizer(net.named_parameters(), {.weight_decay = 1e-5});
  const Shape noise{hr.size(0), 3 * (config.scale * config.scale - 1), reference.size(2),
                    reference.size(3), 5};
  const auto names = lines_of(expected.at("param_names"));

  ASSERT_TRUE(expected.contains("step0.losses"));
  for (int step = 0; expected.contains(concat_text("step", step, ".losses")); ++step) {
    if (!exact && step > 0) break;
    const std::string key = concat_text("step", step);
    net.zero_grad();
    const Tensor z =
        net.mixture().sample(test::on_device(ops::cast(noise_exponential(key, noise, salt), dtype)),
                             test::on_device(ops::cast(noise_normal(key, noise, salt), dtype)));
    const train::Losses losses = recipe.losses({hr, reference}, z, {quality});
    backward(losses.total);
    const double norm = nn::gradient_norm(net.parameters());
    const auto reference_losses = expected.at(key + ".losses").to_vector();
    adam->step(reference_losses[6], nn::clip_factor(norm, 10));

    ASSERT_EQ(losses.terms.size(), 5u);
    for (std::size_t i = 0; i < 5; ++i)
      EXPECT_NEAR(losses.terms[i].value.item(), reference_losses[i],
                  tolerance * reference_losses[i])
          << key << ' ' << losses.terms[i].name;
    EXPECT_NEAR(norm, reference_losses[5], tolerance * reference_losses[5]) << key;
    if (!exact) continue;
    const auto state = net.state_dict();
    const auto stats = expected.at(key + ".param_stats").to_vector();
    ASSERT_EQ(stats.size(), 2 * names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto [size, projection] = test::probe(state.at(names[i]), names[i], salt);
      EXPECT_NEAR(size, stats[2 * i], tolerance * stats[2 * i]) << key << ' ' << names[i];
      EXPECT_NEAR(projection, stats[2 * i + 1], tolerance * stats[2 * i]) << key << ' ' << names[i];
    }
  }
}

std::string test_name(
    const testing::TestParamInfo<std::tuple<std::string, DType, models::MemoryMode>>& info) {
  const auto& [name, dtype, memory] = info.param;
  constexpr std::array modes{"exact", "reversible", "checkpoint", "stored"};
  return concat_text(name, '_', name_of(dtype), '_', modes[static_cast<std::size_t>(memory)]);
}

constexpr const char* x2_jpeg = "train_sain_x2_jpeg";
constexpr const char* x2_webp = "train_sain_x2_webp";
constexpr const char* x4_jpeg = "train_sain_x4_jpeg";

INSTANTIATE_TEST_SUITE_P(Runs, GoldenTraining,
                         testing::Combine(testing::Values(x2_jpeg, x2_webp, x4_jpeg),
                                          testing::Values(DType::float64, DType::float32),
                                          testing::Values(models::MemoryMode::exact)),
                         test_name);
INSTANTIATE_TEST_SUITE_P(Reversible, GoldenTraining,
                         testing::Combine(testing::Values(x2_jpeg, x2_webp, x4_jpeg),
                                          testing::Values(DType::float64, DType::float32),
                                          testing::Values(models::MemoryMode::reversible)),
                         test_name);
INSTANTIATE_TEST_SUITE_P(
    OtherModes, GoldenTraining,
    testing::Combine(testing::Values(x4_jpeg), testing::Values(DType::float64, DType::float32),
                     testing::Values(models::MemoryMode::checkpoint, models::MemoryMode::stored)),
    test_name);
// These runs are long and have the same bits as exact mode (tests/models/memory_test.cpp), so they
// run only with --gtest_also_run_disabled_tests.
INSTANTIATE_TEST_SUITE_P(
    DISABLED_OtherModesLong, GoldenTraining,
    testing::Combine(testing::Values(x2_jpeg, x2_webp), testing::Values(DType::float64),
                     testing::Values(models::MemoryMode::checkpoint, models::MemoryMode::stored)),
    test_name);

}  // namespace
}  // namespace mini
