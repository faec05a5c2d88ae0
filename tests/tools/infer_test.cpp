// mini_infer as a program: its output, exit codes and messages. A failure must not change any file.
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "tensor/isa.h"
#include "tensor/view.h"
#include "tests/tools/infer_tool.h"
#include "train/checkpoint.h"

namespace mini {
namespace {

TEST_F(InferTool, DownscalesAndUpscalesAsTheLibraryDoes) {
  ASSERT_EQ(run("downscale photos/one.png lr.png --weights sain.safetensors"), 0) << errors();
  const auto scaler = infer::network_scaler(*network_);
  const Tensor lr = scaler->downscale(photo());
  EXPECT_TRUE(test::equal_bits(io::read_image(at("lr.png")), lr));
  ASSERT_EQ(run("upscale lr.png hr.png --weights sain.safetensors"), 0) << errors();
  const Tensor hr = scaler->upscale(lr);  // 34x40; what the program writes has the original's size
  EXPECT_TRUE(test::equal_bits(io::read_image(at("hr.png")),
                               ops::contiguous(ops::narrow(ops::narrow(hr, 0, 0, 33), 1, 0, 39))));
  EXPECT_EQ(output(), "lr.png (20x17) -> hr.png (39x33)\n");
}

TEST_F(InferTool, AMemoryLimitChangesNoPixel) {
  Generator generator{2, 0};
  io::write_image(at("high.png"), io::to_image(ops::uniform(generator, {1, 3, 4000, 96})));
  for (const std::string command : {"downscale", "upscale --z sample"}) {
    const std::string line = command + " high.png --weights sain.safetensors ";
    ASSERT_EQ(run(line + "free.png"), 0) << errors();
    // The program's own memory depends on the build, so the test asks it for the least limit it
    // accepts.
    ASSERT_EQ(run(line + "tight.png --memory-limit 1M"), 1);
    const std::string before = "does not fit in a memory limit of 1M; ";
    const std::size_t at_least = errors().find(before);
    ASSERT_NE(at_least, std::string::npos) << errors();
    const int least = std::stoi(errors().substr(at_least + before.size()));
    const std::string limit = concat_text("--memory-limit ", least + 2, "M");
    ASSERT_EQ(run(line + "tight.png " + limit), 0) << errors();
    EXPECT_EQ(content(at("free.png")), content(at("tight.png")));
  }
  expect_failure("upscale high.png a.png --weights sain.safetensors --memory-limit 1M",
                 "upscale: an image of 96x4000 does not fit in a memory limit of 1M; ");
  expect_failure("downscale high.png a.png --weights sain.safetensors --memory-limit 1X",
                 "--memory-limit: '1X' is no size");
  expect_failure("downscale high.png a.png --weights sain.safetensors --memory-limit -1",
                 "--memory-limit: ");
}

TEST_F(InferTool, TheSeedMakesTheSample) {
  const std::string up = "upscale photos/one.png --weights sain.safetensors --z sample ";
  ASSERT_EQ(run(up + "a.png --seed 3"), 0) << errors();
  ASSERT_EQ(run(up + "b.png --seed 3 --threads 2"), 0) << errors();
  ASSERT_EQ(run(up + "c.png --seed 4"), 0) << errors();
  EXPECT_EQ(content(at("a.png")), content(at("b.png")));
  EXPECT_NE(content(at("a.png")), content(at("c.png")));
}

TEST_F(InferTool, WritesTheFormatAndQualityAskedFor) {
  ASSERT_EQ(run("downscale photos small --model bicubic --format webp --quality 40"), 0)
      << errors();
  const Tensor lr = infer::bicubic_scaler(2)->downscale(photo());
  const io::Metadata note{.note = "size=39x33 scale=2 model=bicubic"};
  const io::Bytes expected =
      io::encode(lr, io::ImageFormat::webp, {.quality = 40, .metadata = &note});
  EXPECT_EQ(content(at("small/one.webp")), io::as_text(expected));
  EXPECT_TRUE(fs::exists(at("small/two.webp")));
  ASSERT_EQ(run("downscale photos/one.png four.jpg --model bicubic --scale 4"), 0) << errors();
  EXPECT_EQ(io::read_image(at("four.jpg")).shape(), (Shape{9, 10, 3}));
}

TEST_F(InferTool, TakesCheckpointsAndTheirFolders) {
  fs::create_directories(at("run"));
  train::Checkpoint checkpoint;
  checkpoint.position.step = 7;
  checkpoint.model = network_->state_dict();
  train::save_checkpoint(train::checkpoint_path(at("run"), 7), checkpoint);
  ASSERT_EQ(run("downscale photos/one.png a.png --weights run"), 0) << errors();
  ASSERT_EQ(run("downscale photos/one.png b.png --weights sain.safetensors"), 0) << errors();
  EXPECT_EQ(content(at("a.png")), content(at("b.png")));
}

TEST_F(InferTool, RoundTripLeavesPictures) {
  ASSERT_EQ(run("roundtrip photos/one.png out --weights sain.safetensors --format jpeg,webp "
                "--quality 60,90"),
            0)
      << errors();
  const auto scaler = infer::network_scaler(*network_);
  const auto trip = infer::round_trip(*scaler, photo(), io::ImageFormat::jpeg, 60);
  const auto bicubic =
      infer::round_trip(*infer::bicubic_scaler(2), photo(), io::ImageFormat::jpeg, 60);
  EXPECT_EQ(content(at("out/one_jpeg60_lr.jpg")), io::as_text(trip.file));
  EXPECT_TRUE(test::equal_bits(io::read_image(at("out/one_jpeg60_restored.png")), trip.hr));
  EXPECT_TRUE(test::equal_bits(io::read_image(at("out/one_jpeg60_compare.png")),
                               infer::side_by_side(Tensors{photo(), bicubic.hr, trip.hr})));
  EXPECT_TRUE(
      test::equal_bits(io::read_image(at("out/one_jpeg60_difference.png")),
                       infer::side_by_side(Tensors{infer::difference_map(photo(), bicubic.hr, 8),
                                                   infer::difference_map(photo(), trip.hr, 8)})));
  EXPECT_TRUE(fs::exists(at("out/one_webp90_lr.webp")));
}

TEST_F(InferTool, EvaluateWritesTheTable) {
  ASSERT_EQ(run("evaluate photos --weights sain.safetensors --format jpeg,webp --quality 30,90 "
                "--json t.json --markdown t.md"),
            0)
      << errors();
  EXPECT_EQ(content(at("t.md")), output());
  const auto json = nlohmann::json::parse(content(at("t.json")));
  EXPECT_EQ(json["rows"].size(), 8u);
  EXPECT_EQ(json["rows"][0]["method"], "bicubic");
  EXPECT_EQ(json["rows"][1]["method"], "sain");
  EXPECT_EQ(json["images"], (std::vector<std::string>{"one.png", "two.png"}));
}

TEST_F(InferTool, InfoDescribesWeights) {
  ASSERT_EQ(run("info sain.safetensors"), 0) << errors();
  for (const std::string& line :
       {std::string("format      safetensors\n"),
        std::string("sain x2, enhanced_blocks 1, vanilla_blocks 1, growth 8, condition none\n"),
        concat_text("parameters  ", network_->parameter_count(), '\n'),
        std::string("\ngmm.gmm_para ")})
    EXPECT_NE(output().find(line), std::string::npos) << line << output();
}

TEST_F(InferTool, NamesTheInstructionSet) {
  EXPECT_EQ(run("--version"), 0) << errors();
  EXPECT_NE(output().find("CPU kernels: " + cpu::describe_isa()), std::string::npos) << output();
  for (const cpu::Isa isa : cpu::available_isas()) {
    EXPECT_EQ(run("--version", "export MINI_ISA=" + name_of(isa)), 0) << errors();
    EXPECT_NE(output().find("CPU kernels: " + name_of(isa) + " of "), std::string::npos);
  }
  EXPECT_EQ(run("--version", "export MINI_ISA=mmx"), 1);
  EXPECT_NE(errors().find("MINI_ISA=mmx: there is no such instruction set; choose from "),
            std::string::npos)
      << errors();
}

TEST_F(InferTool, InfoPrintsWhatAStrangerWroteSafely) {
  io::TensorFile file;
  file.tensors["\x1b]0;owned\x07\nnetwork     sain"] = Tensor::ones({1});
  file.tensors[std::string(5000, 'x')] = Tensor::ones({1});
  for (int i = 0; i < 100; ++i) file.tensors[std::to_string(i)] = Tensor::ones({1});
  file.metadata = {{"a\x1b[2J", "\x1b[31mred"}};
  io::write_safetensors(at("odd.safetensors"), file);
  ASSERT_EQ(run("info odd.safetensors"), 0) << errors();
  EXPECT_EQ(output().find('\x1b'), std::string::npos);
  EXPECT_NE(output().find("\\x1b]0;owned\\x07\\x0anetwork"), std::string::npos) << output();
  EXPECT_LT(output().size(), 20'000U) << "no row is padded to the longest name";
}

TEST_F(InferTool, FindsWeightsInsideAFileAndSaysWhere) {
  nn::StateDict wrapped;
  for (const auto& [name, tensor] : network_->state_dict())
    for (const char* key : {"params.", "params_ema.module."}) wrapped.emplace(key + name, tensor);
  io::write_safetensors(at("wrapped.safetensors"), {wrapped, {}});
  const std::string down = "downscale photos/one.png ";
  ASSERT_EQ(run(down + "plain.png --weights sain.safetensors"), 0) << errors();
  ASSERT_EQ(run(down + "found.png --weights wrapped.safetensors"), 0) << errors();
  EXPECT_EQ(errors(),
            "mini_infer: wrapped.safetensors: weights below \"params_ema.module\" (also there: "
            "\"params\"; choose with --weights-key)\n");
  EXPECT_EQ(content(at("found.png")), content(at("plain.png")));
  ASSERT_EQ(run(down + "key.png --weights wrapped.safetensors --weights-key params"), 0)
      << errors();
  EXPECT_EQ(errors(), "mini_infer: wrapped.safetensors: weights below \"params\"\n");
  ASSERT_EQ(run("info wrapped.safetensors --weights-key params"), 0) << errors();
  EXPECT_NE(output().find("found       weights below \"params\"\n"), std::string::npos) << output();
  expect_failure(
      down + "no.png --weights wrapped.safetensors --weights-key ema",
      "wrapped.safetensors: there is nothing below --weights-key ema; there are: params, "
      "params_ema");
}

TEST_F(InferTool, HelpIsNoFailure) {
  EXPECT_EQ(run("--help"), 0);
  EXPECT_NE(output().find("evaluate"), std::string::npos);
  EXPECT_EQ(run("evaluate --help"), 0);
  EXPECT_NE(output().find("--crop-multiple"), std::string::npos);
}

TEST_F(InferTool, RefusesWrongUse) {
  const std::string down = "downscale photos/one.png ";
  expect_failure("", "subcommand");
  expect_failure("enlarge a b", "there is no command 'enlarge'");
  expect_failure(
      down + "out.png --scale 7",
      "give the network's weights (--weights FILE) or --model bicubic; no weights for x7 "
      "come with this program");
  expect_failure(down + "out.png --model irn --scale 7", "no weights of irn for x7 come with");
  expect_failure(down + "out.png --model bicubic --weights sain.safetensors",
                 "--model bicubic takes no --weights");
  expect_failure(down + "out.xyz --model bicubic", "xyz");
  expect_failure(down + "out --model bicubic", "out: needs an extension");
  expect_failure(down + "photos/one.png --model bicubic", "overwritten");
  expect_failure("downscale photos photos/one.png out --model bicubic", "would both be written to");
  expect_failure("evaluate photos --model bicubic --quality 30,101", "101");
  for (const char* seed : {"-1", "18446744073709551616"})
    expect_failure(concat_text("upscale photos out --model bicubic --z sample --seed ", seed),
                   "9007199254740991");
  expect_failure("evaluate photos --model bicubic --format tiff", "tiff");
  expect_failure("evaluate photos --model bicubic --json no/t.json", "no/t.json: its folder");
  for (const char* option : {"--json", "--markdown", "--report", "--plot"})
    expect_failure(concat_text("evaluate photos --model bicubic ", option, " photos/"),
                   "photos/: is a folder, a file is needed");
}

TEST_F(InferTool, RefusesBadImages) {
  write("broken.png", "this is no image");
  const std::string whole = content(at("photos/one.png"));
  write("half.png", whole.substr(0, whole.size() / 2));
  write("out.png", "the old result");
  for (const char* name : {"missing.png", "broken.png", "half.png"}) {
    const std::string image = name;
    expect_failure("downscale " + image + " out.png --model bicubic", image);
    expect_failure("upscale " + image + " out.png --weights sain.safetensors", image);
    expect_failure("roundtrip " + image + " folder --model bicubic", image);
    expect_failure("evaluate photos " + image + " --model bicubic --json out.png", image);
  }
  io::write_image(at("tiny.png"), Tensor::zeros({8, 8, 3}, DType::uint8));
  expect_failure("evaluate tiny.png --model bicubic", "tiny.png: evaluate: an image of 8x8");
  fs::create_directories(at("empty"));
  expect_failure("evaluate empty --model bicubic", "holds no images");
}

TEST_F(InferTool, OneBadImageAmongManyIsToldAndTheOthersAreDone) {
  write("photos/bad.png", "this is no image");
  EXPECT_EQ(run("downscale photos out --model bicubic"), 2);
  EXPECT_NE(errors().find("bad.png"), std::string::npos);
  EXPECT_NE(errors().find("1 of 3 images failed"), std::string::npos);
  EXPECT_TRUE(fs::exists(at("out/one.png")) && fs::exists(at("out/two.png")));
  EXPECT_FALSE(fs::exists(at("out/bad.png")));
}

TEST_F(InferTool, ALimitOfTheFormatIsToldBeforeTheWork) {
  io::write_image(at("long.png"), Tensor::zeros({16, 16384, 3}, DType::uint8));
  expect_failure("upscale long.png long.webp --model bicubic --scale 2",
                 "long.webp: WebP takes at most 16383 pixels a side, not 32768x32");
  EXPECT_EQ(run("downscale long.png long.webp --model bicubic --scale 2"), 0) << errors();
}

TEST_F(InferTool, OdditiesOfAFileAreTold) {
  const std::string whole = content(at("photos/one.png"));
  write("one.png", whole.substr(0, whole.size() - 12));
  ASSERT_EQ(run("downscale one.png out.png --model bicubic"), 0) << errors();
  EXPECT_EQ(errors(), "mini_infer: one.png: the end mark is missing; all pixels are there\n");
}

TEST_F(InferTool, RefusesBadWeights) {
  const std::string whole = content(at("sain.safetensors"));
  write("half.safetensors", whole.substr(0, whole.size() / 2));
  write("noise.safetensors", "this is no file of weights, only a line of text");
  write("out.png", "the old result");
  for (const char* name : {"missing.safetensors", "half.safetensors", "noise.safetensors"}) {
    const std::string weights = name;
    expect_failure("downscale photos/one.png out.png --weights " + weights, weights);
    expect_failure("info " + weights, weights);
  }
  expect_failure("downscale photos/one.png out.png --weights sain.safetensors --scale 4",
                 "sain.safetensors: holds weights for x2, --scale asks for x4");
}

TEST_F(InferTool, RefusesWeightsThatAreNotFinite) {
  const std::string down = "downscale photos/one.png out.png --weights bad.safetensors";
  for (const double bad : {std::nan(""), 1e300}) {  // infinite in float32
    nn::StateDict weights = network_->state_dict();
    Tensor& tensor = weights.at("gmm.gmm_para");
    tensor = ops::cast(tensor, DType::float64);
    tensor.data<double>()[tensor.numel() - 1] = bad;
    io::write_safetensors(at("bad.safetensors"), {weights, {}});
    expect_failure(down, "bad.safetensors: gmm.gmm_para holds NaN or infinity");
  }
}

TEST_F(InferTool, AFullDiskLeavesTheOldFiles) {
  // With a limit of one kilobyte per file, writing fails as on a full disk.
  const std::string tight = "trap '' XFSZ && ulimit -f 2";
  write("out.png", "the old result");
  expect_failure("upscale photos/one.png out.png --model bicubic",
                 "out.png: write_file: cannot write out.png", tight);
  expect_failure("roundtrip photos/one.png . --model bicubic --quality 100",
                 "cannot write ./one_jpeg100_lr.jpg", tight);
  expect_failure("evaluate photos --model bicubic --json out.png", "cannot write out.png", tight);
}

TEST_F(InferTool, OutputThatCannotBePrintedIsAFailure) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  for (const char* command : {"info sain.safetensors", "evaluate photos --model bicubic"})
    expect_failure(concat_text(command, " >/dev/full"), "writ");
}

TEST_F(InferTool, NamesWhatAnotherModelsWeightsLackAndHave) {
  nn::StateDict more = network_->state_dict();
  more.emplace("extra.weight", Tensor::zeros({2}));
  io::write_safetensors(at("irn.safetensors"), {small_network("irn")->state_dict(), {}});
  io::write_safetensors(at("extra.safetensors"), {more, {}});
  io::write_safetensors(at("other.safetensors"), {{{"layer.weight", Tensor::zeros({2})}}, {}});
  const std::string down = "downscale photos/one.png out.png --weights ";
  expect_failure(down + "irn.safetensors --model sain", "missing (comp_operations.0.F.conv1.bias");
  expect_failure(down + "irn.safetensors --model sain", "unexpected (operations.0");
  expect_failure(down + "extra.safetensors", "0 missing (none), 1 unexpected (extra.weight)");
  expect_failure(down + "other.safetensors", "1 unexpected (layer.weight)");
}

}  // namespace
}  // namespace mini
