// safetensors: every dtype there and back, the exact bytes, and headers that lie.
#include "io/safetensors.h"

#include <cstring>
#include <string>

#include "io/file.h"
#include "tensor/random.h"
#include "tensor/view.h"
#include "tests/support/support.h"

namespace mini::io {
namespace {

using namespace std::string_literals;

Bytes container(std::string header, std::string_view data) {
  const std::uint64_t length = header.size();
  std::string text(reinterpret_cast<const char*>(&length), sizeof(length));
  text += header;
  text += data;
  const auto bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

std::string error_for(const std::string& header, std::string_view data = "") {
  return test::error_of([&] { parse_safetensors(container(header, data)); });
}

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "\"" << text << "\" lacks \"" << part << "\"";
}

TensorFile one_of_each_dtype() {
  TensorFile file;
  const Tensor base = ops::reshape(Tensor::arange(24, DType::float64), {2, 3, 4});
  for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16,
                            DType::uint8, DType::int64})
    file.tensors["t." + std::string(name_of(dtype))] = ops::cast(base, dtype);
  file.tensors["scalar"] = Tensor::scalar(-1.5);
  file.tensors["empty"] = Tensor::empty({2, 0, 3});
  file.tensors["transposed"] = ops::transpose(base, 0, 2);
  file.metadata = {{"step", "12"}, {"text", "quotes \" and ü"}};
  return file;
}

TEST(Safetensors, EveryDtypeReturnsBitForBit) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "file.safetensors";
  const TensorFile written = one_of_each_dtype();
  write_safetensors(path, written);
  const Bytes bytes = read_file(path);
  for (const TensorFile& read : {read_safetensors(path), parse_safetensors(bytes)}) {
    EXPECT_EQ(read.metadata, written.metadata);
    ASSERT_EQ(read.tensors.size(), written.tensors.size());
    for (const auto& [name, tensor] : written.tensors) {
      EXPECT_TRUE(test::equal_bits(read.tensors.at(name), tensor)) << name;
      EXPECT_TRUE(read.tensors.at(name).is_contiguous());
    }
  }
}

TEST(Safetensors, WritesExactlyTheFormat) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "file.safetensors";
  TensorFile file;
  file.tensors["a"] = Tensor::from(std::vector<std::uint8_t>{1, 2, 3}, {3});
  file.tensors["b"] = Tensor::from(std::vector<float>{1}, {1, 1});
  write_safetensors(path, file);
  std::string header = R"({"__metadata__":{"mini.crc32":"55bc801daca16a6a"},)"
                       R"("a":{"data_offsets":[4,7],"dtype":"U8","shape":[3]},)"
                       R"("b":{"data_offsets":[0,4],"dtype":"F32","shape":[1,1]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(read_file(path), container(header, {"\0\0\x80\x3f\1\2\3", 7}));
}

TEST(Safetensors, AnEmptyFileOfTensors) {
  const test::TemporaryFolder folder;
  write_safetensors(folder.path() / "file", {});
  const TensorFile read = read_safetensors(folder.path() / "file");
  EXPECT_TRUE(read.tensors.empty() && read.metadata.empty());
}

TEST(Safetensors, WidensWhatMiniDoesNotComputeWith) {
  const TensorFile file =
      parse_safetensors(container(R"({"b":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]},)"
                                  R"("i":{"dtype":"I32","shape":[1],"data_offsets":[2,6]},)"
                                  R"("j":{"dtype":"I8","shape":[2],"data_offsets":[6,8]},)"
                                  R"("u":{"dtype":"U16","shape":[1],"data_offsets":[8,10]}})",
                                  {"\1\0\xfe\xff\xff\xff\x80\x7f\xff\xff", 10}));
  EXPECT_EQ(file.tensors.at("b").dtype(), DType::uint8);
  EXPECT_EQ(file.tensors.at("b").to_vector(), (std::vector<double>{1, 0}));
  EXPECT_EQ(file.tensors.at("i").dtype(), DType::int64);
  EXPECT_EQ(file.tensors.at("i").item(), -2);
  EXPECT_EQ(file.tensors.at("j").to_vector(), (std::vector<double>{-128, 127}));
  EXPECT_EQ(file.tensors.at("u").item(), 65535);
}

TEST(Safetensors, RefusesHeadersThatLie) {
  const auto entry = [](const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
           "}";
  };
  expect_contains(error_for("[]"), "does not begin with {");
  expect_contains(error_for("{"), "no valid JSON");
  expect_contains(error_for("{} x"), "no valid JSON");
  expect_contains(error_for("{\"\xff\":1}"), "no valid JSON");
  expect_contains(error_for(R"({"a":1})"), "must have dtype, shape and data_offsets");
  expect_contains(error_for(R"({"a":)" + entry("F8_E4M3", "[1]", "[0,1]") + "}", "x"),
                  "tensor \"a\" is of dtype \"F8_E4M3\"");
  expect_contains(error_for(R"({"a":)" + entry("U8", "[-1]", "[0,1]") + "}", "x"),
                  "no whole number from 0 up");
  expect_contains(error_for(R"({"a":)" + entry("U8", "[1.0]", "[0,1]") + "}", "x"),
                  "no whole number from 0 up");
  expect_contains(error_for(R"({"a":)" + entry("U8", "[2]", "[0,1]") + "}", "x"),
                  "do not hold the 2 bytes");
  expect_contains(error_for(R"({"a":)" + entry("U8", "[1]", "[1,0]") + "}", "x"),
                  "do not hold the 1 bytes");
  expect_contains(error_for(R"({"a":)" + entry("F32", "[4611686018427387904,4]", "[0,0]") + "}"),
                  "exceeds the address space");
  expect_contains(error_for(R"({"a":)" + entry("F32", "[0,9223372036854775807,9]", "[0,0]") + "}"),
                  "exceeds the address space");
  expect_contains(error_for(R"({"a":)" + entry("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") + "}", "x"),
                  "9 dimensions");
  const std::string a = R"({"a":)" + entry("U8", "[2]", "[0,2]");
  expect_contains(error_for(a + R"(,"b":)" + entry("U8", "[2]", "[1,3]") + "}", "xyz"),
                  "neither overlap nor leave holes");
  expect_contains(error_for(a + R"(,"b":)" + entry("U8", "[1]", "[3,4]") + "}", "wxyz"),
                  "neither overlap nor leave holes");
  expect_contains(error_for(a + "}", "x"), "the file has 1");
  expect_contains(error_for(a + "}", "xyz"), "the file has 3");
  expect_contains(error_for(a + R"(,"a":)" + entry("U8", "[0]", "[2,2]") + "}", "xy"),
                  "key \"a\" appears twice");
  expect_contains(error_for(R"({"a":)" + std::string(1'000'000, '[')), "nested deeper than 3");
  expect_contains(error_for(R"({"__metadata__":{"a":1}})"), "\"a\" is no text");
}

// Each bit of the data matters, and the first damaged tensor is named.
TEST(Safetensors, DamageInsideATensorIsNoticed) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "file";
  TensorFile file;
  file.tensors["first"] = Tensor::from(std::vector<float>{1, 2}, {2});
  file.tensors["second"] = Tensor::from(std::vector<std::uint8_t>{1, 2, 3}, {3});
  file.tensors["empty"] = Tensor::empty({0});
  write_safetensors(path, file);
  const Bytes good = read_file(path);
  for (std::size_t bit = 8 * (good.size() - 11); bit < 8 * good.size(); ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    const bool in_second = bit / 8 >= good.size() - 3;
    expect_contains(test::error_of([&] { parse_safetensors(bad); }),
                    in_second ? "tensor \"second\" is damaged" : "tensor \"first\" is damaged");
  }
}

TEST(Safetensors, ChecksumsMustBeOfTheseTensors) {
  const std::string data(4, '\0'), zeros = "2144df1c";  // CRC-32 of four zero bytes
  const auto parse = [&](const std::string& checksums) {
    return parse_safetensors(
        container(R"({"__metadata__":{"mini.crc32":")" + checksums +
                      R"("},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                  data));
  };
  EXPECT_TRUE(parse(zeros).metadata.empty()) << "they are no metadata of the caller";
  expect_contains(test::error_of([&] { parse(zeros + zeros); }), "not as many checksums");
  expect_contains(test::error_of([&] { parse("2144df1d"); }), "leave mini.crc32 out");
  EXPECT_EQ(parse_safetensors(
                container(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", data))
                .tensors.size(),
            1U)
      << "other programs write none";
}

// 30,000 tensors, 1.7 MB: the time is that of reading them, not its square.
TEST(Safetensors, ManyTensorsTakeLinearTime) {
  std::string header = "{";
  for (int i = 0; i < 30'000; ++i)
    header += concat_text(i == 0 ? "" : ",", "\"t", i,
                          R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})");
  const double start = test::cpu_seconds();
  EXPECT_EQ(parse_safetensors(container(header + "}", "")).tensors.size(), 30'000U);
  EXPECT_LT(test::cpu_seconds() - start, 3 * test::time_factor);
}

TEST(Safetensors, RefusesTextAfterAZeroByte) {
  expect_contains(error_for("{}"s + '\0' + "x"), "zero byte");
  expect_contains(error_for("{\"__metadata__\":{\"a\":\"\0\"}}"s), "zero byte");
}

TEST(Safetensors, RefusesALengthBeyondTheFile) {
  Bytes bytes = container("{}", "");
  std::memset(bytes.data(), 0xff, 8);
  expect_contains(test::error_of([&] { parse_safetensors(bytes); }), "does not fit a file of 10");
}

TEST(Safetensors, ErrorsNameTheFile) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "broken";
  write_file_atomically(path, "no tensors");
  expect_contains(test::error_of([&] { read_safetensors(path); }), path.string());
}

// Each prefix and each change of one byte either reads or is refused with an Error.
TEST(Safetensors, NoDamageCrashes) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "file";
  write_safetensors(path, one_of_each_dtype());
  const Bytes good = read_file(path);
  for (std::size_t length = 0; length < good.size(); ++length)
    test::error_of([&] { parse_safetensors({good.data(), length}); });
  std::size_t refused = 0;
  for (std::size_t place = 0; place < good.size(); ++place) {
    for (const int change : {1, 2, 0x10, 0x80, 0xff}) {
      Bytes bad = good;
      bad[place] ^= static_cast<std::byte>(change);
      try {
        parse_safetensors(bad);
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 1000U);
}

}  // namespace
}  // namespace mini::io
