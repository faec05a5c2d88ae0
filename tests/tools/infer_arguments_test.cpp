// What people write on the command line of mini_infer, and limits on what they read: each kind was a
// fault of some program once.
#include "tests/io/image_files.h"
#include "tests/tools/infer_tool.h"
#include "tools/command_line.h"

namespace mini {
namespace {

using InferArguments = InferTool;

TEST_F(InferArguments, NamesAreTakenAsTheyAre) {
  for (const std::string name : {"[photos]", "two words", "*", "a,b", "-dash", "010"}) {
    fs::create_directories(at(name));
    fs::copy_file(at("photos/one.png"), at(name) / "one.png");
    ASSERT_EQ(run("downscale --model bicubic -- './" + name + "' 'small " + name + "'"), 0)
        << errors();
    EXPECT_TRUE(fs::exists(at("small " + name) / "one.png")) << name;
  }
  ASSERT_EQ(run("downscale --model bicubic '[photos]' small"), 0) << errors();
}

TEST_F(InferArguments, ANameMayBeAsLongAsTheFileSystemAllows) {
  const std::string name = std::string(251, 'n') + ".png";
  ASSERT_EQ(run("downscale --model bicubic photos/one.png " + name), 0) << errors();
  EXPECT_TRUE(fs::exists(at(name)));
}

TEST_F(InferArguments, AHomeFolderIsFoundBehindAnEqualsSign) {
  EXPECT_EQ(run("downscale photos/one.png a.png --weights=~/sain.safetensors",
                "export HOME=" + folder_.path().string()),
            0)
      << errors();
}

TEST_F(InferArguments, NumbersAreDecimal) {
  const std::string down = "downscale --model bicubic photos/one.png ";
  ASSERT_EQ(run(down + "ten.jpg --quality 010"), 0) << errors();
  ASSERT_EQ(run(down + "ten_too.jpg --quality 10"), 0) << errors();
  EXPECT_EQ(content(at("ten.jpg")), content(at("ten_too.jpg")));
  expect_failure(down + "a.jpg --quality 0x10", "'0x10' is no whole number");
  expect_failure(down + "a.jpg --quality 5.5", "'5.5' is no whole number");
}

TEST_F(InferArguments, SizesMayHaveAPoint) {
  EXPECT_EQ(command_line::parse_size("0.5G"), 5e8);
  EXPECT_EQ(command_line::parse_size("500M"), 5e8);
  EXPECT_EQ(command_line::parse_size(" 1.5 kB "), 1500);
  EXPECT_EQ(command_line::parse_size("1e6"), 1e6);
  EXPECT_EQ(command_line::parse_size("7"), 7);
  for (const char* wrong : {"", "M", "-1", "0", "1X", "1MM", "nan", "inf", "1e30", "5 5"})
    EXPECT_THROW(command_line::parse_size(wrong), Error) << wrong;
  ASSERT_EQ(run("downscale --model bicubic photos/one.png a.png --memory-limit 0.5G"), 0)
      << errors();
}

TEST_F(InferArguments, ListsAreOneWordWithOrWithoutSpaces) {
  ASSERT_EQ(run("roundtrip photos/one.png out --model bicubic --format 'jpeg, webp' "
                "--quality '30, 90'"),
            0)
      << errors();
  EXPECT_TRUE(fs::exists(at("out/one_webp90_lr.webp")));
  expect_failure("roundtrip photos/one.png trips --model bicubic --quality 30 90",
                 "--quality 30 90: give several values as one word (--quality 30,90)");
  expect_failure("roundtrip photos/one.png trips --model bicubic --format jpeg webp",
                 "--format jpeg,webp");
}

TEST_F(InferArguments, LinksToFoldersAreFollowedOnce) {
  fs::create_directories(at("all"));
  fs::create_directory_symlink(at("photos"), at("all/linked"));
  fs::create_directory_symlink(at("all"), at("all/round"));
  fs::create_symlink(at("nowhere"), at("all/broken.png"));
  write("photos/._one.png", "what macOS leaves");
  ASSERT_EQ(run("downscale all out --model bicubic"), 0) << errors();
  EXPECT_TRUE(fs::exists(at("out/linked/one.png")));
  EXPECT_FALSE(fs::exists(at("out/round")));
}

// A name must be an image's to be read as one, whatever its letters.
TEST_F(InferArguments, OtherExtensionsOfJpegAreImages) {
  fs::create_directories(at("jpegs"));
  for (const char* name : {"a.jfif", "b.jpe", "c.JPG"})
    io::write_file_atomically(at("jpegs") / name, io::encode(photo(), io::ImageFormat::jpeg, 90));
  ASSERT_EQ(run("downscale jpegs out --model bicubic"), 0) << errors();
  for (const char* name : {"a.png", "b.png", "c.png"}) EXPECT_TRUE(fs::exists(at("out") / name));
}

// --- Limits before memory is taken ---

TEST_F(InferArguments, AnImageMayBeAsLargeAsTheLimitsSay) {
  const std::string down = "downscale photos/one.png small.png --model bicubic ";
  EXPECT_EQ(run(down + "--max-pixels 1287"), 0) << errors();
  expect_failure(down + "--max-pixels 1286", "39x33 pixels is too large (at most 1286");
}

TEST_F(InferArguments, ASmallFileThatClaimsManyPixelsIsRefusedWithinTheMemoryLimit) {
  // Lossless WebP of one colour: these few bytes are a valid file of any size.
  const auto webp = [](std::uint64_t width, std::uint64_t height) {
    test::FileBytes file;
    file.text("RIFF").little(26, 4).text("WEBPVP8L").little(14, 4).list({0x2f});
    return file.little((width - 1) | (height - 1) << 14, 4).list({7, 0, 0, 0, 0, 0, 0, 0, 0});
  };
  io::write_file_atomically(at("bomb.webp"), webp(15000, 15000).bytes());
  io::write_file_atomically(at("whole.webp"), webp(16383, 16383).bytes());
  for (const std::string model : {"--model bicubic", "--weights sain.safetensors"}) {
    const std::string end = " bomb.webp large.png " + model + " --memory-limit 200M";
    expect_failure("upscale" + end,
                   "bomb.webp: decode: WebP: an image of 15000x15000 pixels takes");
    expect_failure("downscale" + end, "and the memory limit leaves");
    expect_failure("downscale whole.webp large.png " + model, "16383x16383 pixels is too large");
  }
  expect_failure("evaluate bomb.webp --model bicubic --memory-limit 200M", "15000x15000");
  expect_failure("roundtrip bomb.webp trips --model bicubic --memory-limit 200M", "15000x15000");
}

TEST_F(InferArguments, BicubicInterpolationKeepsTheMemoryLimit) {
  io::write_image(at("wide.png"), Tensor::zeros({2000, 2000, 3}, DType::uint8));
  EXPECT_EQ(run("upscale wide.png large.png --model bicubic --memory-limit 220M"), 0) << errors();
  expect_failure("upscale wide.png larger.png --model bicubic --scale 8 --memory-limit 220M",
                 "upscale: an image of 2000x2000 does not fit in a memory limit of 220M; ");
}

// --- Streams ---

TEST_F(InferArguments, ClosedStreamsLandInNoFile) {
  ASSERT_EQ(run("downscale --model bicubic photos/one.png a.png >&- 2>&- <&-"), 1);
  EXPECT_EQ(io::read_image(at("a.png")).shape(), (Shape{17, 20, 3}));
}

}  // namespace
}  // namespace mini
