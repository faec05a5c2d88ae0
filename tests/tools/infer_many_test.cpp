// mini_infer on many pictures, and on standard input and output.
#include "tests/tools/infer_tool.h"

namespace mini {
namespace {

using InferMany = InferTool;

TEST_F(InferMany, SubfoldersAndPatternsAreTaken) {
  fs::create_directories(at("album/2024/sea"));
  fs::copy_file(at("photos/one.png"), at("album/2024/sea/a.png"));
  fs::copy_file(at("photos/two.png"), at("album/b.png"));
  ASSERT_EQ(run("downscale album out --model bicubic"), 0) << errors();
  EXPECT_TRUE(fs::exists(at("out/2024/sea/a.png")) && fs::exists(at("out/b.png")));
  ASSERT_EQ(run("downscale 'photos/t*.png' few/ --model bicubic"), 0) << errors();
  EXPECT_TRUE(fs::exists(at("few/two.png")));
  EXPECT_FALSE(fs::exists(at("few/one.png")));
  expect_failure("downscale 'photos/x*.png' few/ --model bicubic", "x*.png");
}

TEST_F(InferMany, ResultsHaveTheNamesAskedFor) {
  ASSERT_EQ(
      run("downscale photos out --model bicubic --format webp --name '{number}_{name}.{ext}'"), 0)
      << errors();
  EXPECT_TRUE(fs::exists(at("out/1_one.png.webp")) && fs::exists(at("out/2_two.png.webp")));
  expect_failure("downscale photos other --model bicubic --name '{nam}'", "must be {name}");
  expect_failure("downscale photos other --model bicubic --name 'a/{name}'", "no slash");
  expect_failure("downscale photos other --model bicubic --name same",
                 "would both be written to other/same.png; --name '{name}_{ext}'");
}

TEST_F(InferMany, ResultsThatAreThereAreKeptIfAsked) {
  fs::create_directories(at("out"));
  write("out/one.png", "the old result");
  const std::string down = "downscale photos out --model bicubic ";
  expect_failure(down + "--no-clobber", "out/one.png: is there already (--no-clobber)");
  ASSERT_EQ(run(down + "--skip-existing"), 0) << errors();
  EXPECT_EQ(content(at("out/one.png")), "the old result");
  EXPECT_TRUE(fs::exists(at("out/two.png")));
  ASSERT_EQ(run(down + "--skip-existing"), 0) << errors();
  EXPECT_EQ(output(), "");
  ASSERT_EQ(run(down), 0) << errors();
  EXPECT_NE(content(at("out/one.png")), "the old result");
  expect_failure(down + "--skip-existing --no-clobber", "excludes");
}

TEST_F(InferMany, APictureGoesThroughAPipe) {
  ASSERT_EQ(run("downscale photos/one.png small.jpg --model bicubic"), 0) << errors();
  ASSERT_EQ(run("downscale - - --model bicubic --format jpeg <photos/one.png"), 0) << errors();
  EXPECT_EQ(output(), content(at("small.jpg")));
  EXPECT_EQ(errors(), "- (39x33) -> - (20x17)\n");
  ASSERT_EQ(run("upscale - large.png --model bicubic <small.jpg"), 0) << errors();
  EXPECT_EQ(io::read_image(at("large.png")).shape(), (Shape{33, 39, 3}));
  expect_failure("downscale photos - --model bicubic", "standard output takes one picture");
  expect_failure("downscale - photos/ --model bicubic <small.jpg", "needs a file or -");
  expect_failure("downscale - a.png --model bicubic </dev/null", "-: decode: the file is empty");
  if (fs::exists("/dev/full"))
    expect_failure("downscale photos/one.png - --model bicubic >/dev/full", "cannot be written");
}

// Reading and writing beside the work changes nothing, and what fails is told once more at the end.
TEST_F(InferMany, ManyAreDoneAsOneByOneAndFailuresAreSummedUp) {
  fs::create_directories(at("many"));
  Generator generator{8, 0};
  for (std::int64_t i = 0; i < 12; ++i)
    io::write_image(at("many") / concat_text(i, ".png"),
                    io::to_image(ops::uniform(generator, {1, 3, 20 + i, 30 - i})));
  write("many/3.png", "this is no image");
  write("many/7.png", content(at("many/8.png")).substr(0, 300));
  for (const std::string limit : {"", " --memory-limit 100M"}) {
    EXPECT_EQ(run("downscale many out --weights sain.safetensors" + limit), 2) << errors();
    EXPECT_TRUE(
        errors().ends_with("mini_infer: 2 of 12 images failed:\n  many/3.png\n  many/7.png\n"))
        << errors();
    for (const char* name : {"0.png", "2.png", "4.png", "8.png", "11.png"}) {
      ASSERT_EQ(run(concat_text("downscale many/", name, " alone.png --weights sain.safetensors")),
                0);
      EXPECT_EQ(content(at("alone.png")), content(at("out") / name)) << name;
    }
    fs::remove_all(at("out"));
  }
  EXPECT_EQ(run("downscale many/3.png many/7.png out --model bicubic"), 1) << "all failed";
}

TEST_F(InferMany, NothingIsWrittenThroughALinkOutOfTheOutputFolder) {
  fs::create_directories(at("album/sub"));
  fs::copy_file(at("photos/one.png"), at("album/sub/one.png"));
  fs::create_directories(at("out"));
  fs::create_directories(at("elsewhere"));
  fs::create_directory_symlink(at("elsewhere"), at("out/sub"));
  EXPECT_EQ(run("downscale album out --model bicubic"), 1);
  EXPECT_NE(errors().find("out/sub: is a link out of the output folder"), std::string::npos)
      << errors();
  EXPECT_TRUE(fs::is_empty(at("elsewhere")));
}

}  // namespace
}  // namespace mini
