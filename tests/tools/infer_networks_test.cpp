// mini_infer with networks beside SAIN: several in one table, what there are, and options that weights
// do not tell.
#include <nlohmann/json.hpp>

#include "models/registry.h"
#include "models/upscale/edsr.h"
#include "models/upscale/srcnn.h"
#include "tests/tools/infer_tool.h"

namespace mini {
namespace {

class InferNetworks : public InferTool {
 protected:
  void SetUp() override {
    InferTool::SetUp();
    save("edsr.safetensors",
         models::NetworkConfig("edsr", models::EdsrOptions{.blocks = 1, .features = 4}),
         {{"res_scale", "1"}});
    save("srcnn.safetensors", models::NetworkConfig("srcnn", models::SrcnnOptions{.kernel1 = 3}),
         {});
  }
  void save(const std::string& name, const models::NetworkConfig& config,
            std::map<std::string, std::string> metadata) const {
    Generator generator{3, 0};
    io::write_safetensors(at(name), {config.make(generator)->state_dict(), std::move(metadata)});
  }
};

TEST_F(InferNetworks, EvaluatePutsSeveralWeightsInOneTableBelowBicubic) {
  ASSERT_EQ(run("evaluate photos --weights edsr.safetensors --weights sain.safetensors "
                "-w srcnn.safetensors --quality 80 --json t.json"),
            0)
      << errors();
  const std::string table = output();
  std::size_t last = 0;
  for (const char* method : {"| bicubic |", "| edsr (edsr.safetensors) |",
                             "| sain (sain.safetensors) |", "| srcnn (srcnn.safetensors) |"}) {
    const std::size_t place = table.find(method);
    ASSERT_NE(place, std::string::npos) << method << "\n" << table;
    EXPECT_GT(place, last);
    last = place;
  }
  ASSERT_EQ(run("evaluate photos --weights sain.safetensors --quality 80"), 0) << errors();
  EXPECT_NE(output().find("| sain |"), std::string::npos) << output();
  save("four.safetensors",
       models::NetworkConfig("edsr", models::EdsrOptions{.scale = 4, .blocks = 1, .features = 4}),
       {});
  expect_failure("evaluate photos --weights edsr.safetensors --weights four.safetensors",
                 "methods of scale 2 and 4 cannot share a table");
}

TEST_F(InferNetworks, ModelListsWhatThereIs) {
  ASSERT_EQ(run("upscale --model list"), 0) << errors();
  for (const std::string& name : models::network_names())
    EXPECT_NE(output().find("\n" + name + " "), std::string::npos) << name << "\n" << output();
  EXPECT_NE(output().find("bicubic"), std::string::npos);
}

TEST_F(InferNetworks, TellsWhatItAssumesAndTakesIt) {
  const std::string up = "upscale photos/one.png ";
  ASSERT_EQ(run(up + "a.png --weights edsr.safetensors"), 0) << errors();
  EXPECT_EQ(errors().find("assumed"), std::string::npos) << "the file states residual_scale";
  ASSERT_EQ(run(up + "b.png --weights srcnn.safetensors"), 0) << errors();
  EXPECT_NE(errors().find("srcnn.safetensors: does not tell, so this is assumed: scale 2, border "
                          "replicate (--set KEY=VALUE changes it)"),
            std::string::npos)
      << errors();
  ASSERT_EQ(run(up + "c.png --weights srcnn.safetensors --scale 3 --set border=zero"), 0)
      << errors();
  EXPECT_EQ(errors().find("assumed"), std::string::npos) << errors();
  EXPECT_EQ(io::read_image(at("c.png")).size(0), 3 * photo().size(0));
  expect_failure(up + "d.png --weights srcnn.safetensors --set border=none",
                 "srcnn.safetensors: border: must be one of replicate, zero, got 'none'");
  expect_failure(up + "d.png --weights sain.safetensors --set range=1",
                 "--set range: weights of sain have no such option to be told");
  expect_failure(up + "d.png --weights edsr.safetensors --scale 4",
                 "edsr.safetensors: holds weights for x2, --scale asks for x4");
}

// The weights that are handed round by their authors' names, where they are.
TEST_F(InferNetworks, PublishedWeightsGiveTheirPictures) {
  const auto shared = test::shared_folder();
  if (!shared || !fs::exists(*shared / "weights/upscalers"))
    GTEST_SKIP() << "no shared weights (set MINI_SHARED)";
  const auto psnr_of = [&](const std::string& weights, const fs::path& images) {
    EXPECT_EQ(
        run(concat_text("evaluate ", images, " --format png --quality 90 --json t.json --weights ",
                        *shared / "weights/upscalers" / weights)),
        0)
        << errors();
    const auto json = nlohmann::json::parse(content(at("t.json")));
    return json["rows"][1]["mean"]["psnr_y"].get<double>();
  };
  const fs::path set5 = *shared / "data/Set5";
  EXPECT_NEAR(psnr_of("srcnn915_x2.safetensors", set5), 36.33, 0.05);
  for (const auto& [name, psnr] : {std::pair("bird", 43.05), std::pair("butterfly", 34.81),
                                   std::pair("head", 35.99), std::pair("woman", 36.27)}) {
    fs::path image;
    for (const auto& item : fs::directory_iterator(set5))
      if (item.path().filename().string().find(name) != std::string::npos) image = item.path();
    ASSERT_FALSE(image.empty()) << name;
    EXPECT_NEAR(psnr_of("edsr8_x2.safetensors", image), psnr, 0.03) << name;
  }
}

}  // namespace
}  // namespace mini
