// Weights next to other things: tensors are read, the rest is passed over and named. The files are made
// by data/make_beside.py.
#include <algorithm>

#include "io/pth.h"
#include "io/tensor_file.h"
#include "tests/io/archives.h"

namespace mini::io {
namespace {

using namespace test_files;

std::filesystem::path data(const std::string& name) {
  return std::filesystem::path(MINI_SOURCE_DIR) / "tests/io/data" / name;
}

bool passes_over(const TensorFile& file, const std::string& what) {
  return std::find(file.passed_over.begin(), file.passed_over.end(), what) !=
         file.passed_over.end();
}

TEST(BesideWeights, TensorsAreReadTheRestIsNamed) {
  for (const char* name : {"beside_zip.pth", "beside_protocol5.pth", "beside_legacy.pth"}) {
    SCOPED_TRACE(name);
    const TensorFile file = read_tensor_file(data(name));
    EXPECT_EQ(file.tensors.at("state_dict.weight").to_vector(), (std::vector<double>{1.5, -2}));
    EXPECT_EQ(file.tensors.at("odd").to_vector(), std::vector<double>{3});
    EXPECT_EQ(file.tensors.at("counts.a").to_vector(), std::vector<double>{4});
    EXPECT_EQ(file.metadata.at("epoch"), "12");
    EXPECT_EQ(file.metadata.at("args.lr"), "0.25");
    EXPECT_EQ(file.metadata.at("args.size.0"), "2");
    EXPECT_EQ(file.metadata.at("recent.1"), "2");
    EXPECT_EQ(file.metadata.at("frozen.0"), "7");
    for (const char* what :
         {"scalar (numpy._core.multiarray.scalar)", "numpy_type (numpy.dtype)",
          "dtype (torch.bfloat16)", "sparse (torch._utils._rebuild_sparse_tensor)",
          "date (datetime.datetime)", "path (pathlib.PurePosixPath)", "fraction (decimal.Decimal)",
          "all (a value under a key that is neither text nor number)",
          "many (84 more numbers and texts)"})
      EXPECT_TRUE(passes_over(file, what)) << what;
  }
}

TEST(BesideWeights, TensorsOfNewerTypes) {
  for (const char* name : {"beside_zip.pth", "beside_protocol5.pth"}) {
    const TensorFile file = read_tensor_file(data(name));
    EXPECT_EQ(file.tensors.at("uint16").to_vector(), (std::vector<double>{1, 65535}));
    EXPECT_TRUE(passes_over(file, "complex (torch.ComplexFloatStorage)"));
    EXPECT_TRUE(passes_over(file, "float8 (torch.float8_e4m3fn)"));
  }
}

TEST(BesideWeights, ProtocolsOfTexts) {
  for (const char* name :
       {"protocol0.pth", "protocol0_legacy.pth", "protocol1.pth", "protocol1_legacy.pth"}) {
    SCOPED_TRACE(name);
    const TensorFile file = read_tensor_file(data(name));
    EXPECT_EQ(file.tensors.at("weight").to_vector(), (std::vector<double>{1.5, -2}));
    const std::map<std::string, std::string> metadata{
        {"done", "true"}, {"epoch", "12"}, {"large", "1099511627776"}, {"rate", "0.25"}};
    EXPECT_EQ(file.metadata, metadata);
    EXPECT_TRUE(passes_over(file, "scalar (numpy._core.multiarray.scalar)"));
  }
}

TEST(BesideWeights, DeflatedEntries) {
  const TensorFile file = read_tensor_file(data("deflated.pth"));
  const std::vector<double> values = file.tensors.at("weight").to_vector();
  ASSERT_EQ(values.size(), 1000U);
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], static_cast<double>(i % 7));
}

TEST(BesideWeights, WhatIsNoFileOfWeightsIsNamedWithTheRemedy) {
  const test::TemporaryFolder folder;
  const auto error_for = [&](const std::string& content) {
    write_file_atomically(folder.path() / "file.pth", content);
    return test::error_of([&] { read_tensor_file(folder.path() / "file.pth"); });
  };
  expect_contains(error_for("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
                  "`git lfs pull`");
  expect_contains(error_for("<!DOCTYPE html><html>"), "is a web page");
  expect_contains(error_for("\x89HDF\r\n\x1a\n"), "HDF5");
  expect_contains(error_for("\x1f\x8b\x08"), "gunzip");
  expect_contains(error_for(""), "is empty");
  expect_contains(error_for(concat_text(std::string(257, 'x'), "ustar")), "tar archive");
}

TEST(BesideWeights, ALengthThatBeginsLikeAPickleIsSafetensors) {
  const test::TemporaryFolder folder;
  // 128 bytes of header: the file begins with 0x80 0x00.
  std::string header = "{}";
  header.resize(0x80, ' ');
  write_file_atomically(folder.path() / "file",
                        concat_text(std::string("\x80\0\0\0\0\0\0\0", 8), header));
  EXPECT_EQ(tensor_format(folder.path() / "file"), TensorFormat::safetensors);
  EXPECT_TRUE(read_tensor_file(folder.path() / "file").tensors.empty());
}

}  // namespace
}  // namespace mini::io
