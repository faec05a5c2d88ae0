// Weights that come with the program: found without being named, listed, and taken out of checkpoints.
#include "infer/checkpoints.h"
#include "tests/tools/infer_tool.h"

namespace mini {
namespace {

// The program as `cmake --install` lays it out, with networks of its own.
class ShippedWeights : public InferTool {
 protected:
  void SetUp() override {
    InferTool::SetUp();
    fs::create_directories(programs_.path() / "bin");
    fs::create_directories(weights());
    fs::copy_file(program_, programs_.path() / "bin/mini_infer");
    program_ = programs_.path() / "bin/mini_infer";
  }
  fs::path weights() const { return programs_.path() / "share/mini/weights"; }
  void ship(const std::string& name, const std::string& network, std::int64_t scale,
            const std::string& codec, std::uint64_t seed) {
    Generator generator{seed};
    io::write_safetensors(
        weights() / name,
        {test::make_network(network, {.scale = scale, .growth = 4}, generator)->state_dict(),
         {{"codec", codec}, {"step", "1234"}}});
  }
  // The file that the program says it took.
  std::string taken() const {
    const std::string text = errors(), begin = "mini_infer: takes ";
    if (!text.starts_with(begin)) return "nothing: " + text;
    return fs::path(text.substr(begin.size(), text.find('\n') - begin.size())).filename();
  }

  test::TemporaryFolder programs_;
};

TEST_F(ShippedWeights, AreTakenWhereNoneAreGiven) {
  ship("a_x2.safetensors", "irn", 2, "webp", 1);
  ship("b_x2.safetensors", "sain", 2, "jpeg", 2);
  ship("c_x4.safetensors", "sain", 4, "jpeg", 3);
  ASSERT_EQ(run("roundtrip photos out"), 0) << errors();
  EXPECT_EQ(taken(), "b_x2.safetensors");  // for JPEG
  ASSERT_EQ(run("roundtrip photos out --format webp"), 0) << errors();
  EXPECT_EQ(taken(), "a_x2.safetensors");
  ASSERT_EQ(run("downscale photos/one.png small.png"), 0) << errors();
  EXPECT_EQ(taken(), "a_x2.safetensors");  // the codec is not known: the first
  ASSERT_EQ(run("downscale photos/one.png named.png --weights " +
                (weights() / "a_x2.safetensors").string()),
            0);
  EXPECT_EQ(errors(), "");
  EXPECT_EQ(content(at("small.png")), content(at("named.png")));
  ASSERT_EQ(run("downscale photos/one.png small.png --model sain"), 0) << errors();
  EXPECT_EQ(taken(), "b_x2.safetensors");
  ASSERT_EQ(run("downscale photos/one.png small.png --scale 4"), 0) << errors();
  EXPECT_EQ(taken(), "c_x4.safetensors");
  ASSERT_EQ(run("evaluate photos --quality 75 --scale 4"), 0) << errors();
  EXPECT_EQ(taken(), "c_x4.safetensors");
  expect_failure("downscale photos/one.png small.png --model irn --scale 4",
                 "no weights of irn for x4 come with this program");
}

TEST_F(ShippedWeights, AreListed) {
  ASSERT_EQ(run("weights"), 0) << errors();
  EXPECT_NE(output().find("No weights come with this program"), std::string::npos) << output();
  ship("b_x2.safetensors", "sain", 2, "jpeg", 2);
  io::write_file_atomically(weights() / "broken.safetensors", std::string("nonsense"));
  io::write_file_atomically(weights() / "b_x2.md", std::string("# A card"));
  ASSERT_EQ(run("weights"), 0) << errors();
  EXPECT_NE(output().find("b_x2.safetensors"), std::string::npos) << output();
  EXPECT_NE(output().find("sain        x2 jpeg"), std::string::npos) << output();
  EXPECT_NE(output().find("1234"), std::string::npos) << output();
  EXPECT_EQ(output().find("broken"), std::string::npos);
  EXPECT_NE(errors().find("broken.safetensors"), std::string::npos);
  ASSERT_EQ(run("downscale photos/one.png small.png"), 0) << errors();
}

// What the build folder offers is what the project has.
TEST(BuiltWeights, AreTheProjects) {
  EXPECT_TRUE(fs::equivalent(fs::path(MINI_BINARY_DIR) / "share/mini/weights",
                             fs::path(MINI_SOURCE_DIR) / "models/weights"));
}

TEST_F(InferTool, ExportTakesTheNetworkOutOfACheckpoint) {
  using Mark = infer::CheckpointMark;
  io::TensorFile checkpoint;
  checkpoint.metadata = {
      {Mark::key, Mark::value}, {"step", "77"}, {"config", R"({"codec": {"format": "webp"}})"}};
  for (const auto& [name, tensor] : network_->state_dict())
    checkpoint.tensors[Mark::model + name] = tensor;
  Generator generator{9};
  const auto other = test::make_network("sain", {.growth = 8}, generator);
  for (const auto& [name, tensor] : other->state_dict())
    checkpoint.tensors[Mark::average + name] = tensor;
  checkpoint.tensors["optimizer.step"] = Tensor::zeros({1});
  fs::create_directories(at("run"));
  io::write_safetensors(infer::checkpoint_path(at("run"), 77), checkpoint);

  ASSERT_EQ(run("export run weights.safetensors"), 0) << errors();
  const io::TensorFile file = io::read_safetensors(at("weights.safetensors"));
  EXPECT_EQ(file.metadata.at("step"), "77");
  EXPECT_EQ(file.metadata.at("codec"), "webp");
  ASSERT_EQ(file.tensors.size(), other->state_dict().size());
  for (const auto& [name, tensor] : other->state_dict())
    EXPECT_TRUE(test::equal_bits(file.tensors.at(name), tensor)) << name;
  ASSERT_EQ(run("export run raw.safetensors --raw-weights"), 0) << errors();
  EXPECT_TRUE(test::equal_bits(io::read_safetensors(at("raw.safetensors")).tensors.begin()->second,
                               network_->state_dict().begin()->second));
  expect_failure("export sain.safetensors x.safetensors", "is no checkpoint of mini_train");
  expect_failure("export run weights.pth", "must be called .safetensors");
}

}  // namespace
}  // namespace mini
