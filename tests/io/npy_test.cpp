// NumPy's files: those that NumPy wrote (data/make_beside.py), what mini writes, and headers that lie.
#include "io/npy.h"

#include "io/tensor_file.h"
#include "tensor/view.h"
#include "tests/io/archives.h"

namespace mini::io {
namespace {

using namespace std::string_literals;
using namespace test_files;

std::filesystem::path data(const std::string& name) {
  return std::filesystem::path(MINI_SOURCE_DIR) / "tests/io/data" / name;
}

Bytes npy(const std::string& header, const std::string& elements = "", char version = 1) {
  std::string text = "\x93NUMPY"s + version + '\0';
  const std::size_t size = header.size();
  text += {static_cast<char>(size & 0xff), static_cast<char>(size >> 8)};
  if (version > 1) text += "\0\0"s;
  return bytes_of(text + header + elements);
}

std::string error_for(const std::string& header, const std::string& elements = "") {
  return test::error_of([&] { parse_npy(npy(header, elements)); });
}

TEST(Npy, ReadsWhatNumPyWrote) {
  const std::vector<double> values{0, 1, 2, 3, 4, 5};
  for (const char* name : {"matrix.npy", "fortran.npy"}) {
    const TensorFile file = read_tensor_file(data(name));
    const Tensor& tensor = file.tensors.at("tensor");
    EXPECT_EQ(tensor.dtype(), DType::float32);
    EXPECT_EQ(tensor.shape(), Shape({2, 3})) << name;
    EXPECT_EQ(tensor.to_vector(), values) << name;
    EXPECT_TRUE(tensor.is_contiguous());
  }
  for (const char* name : {"arrays.npz", "compressed.npz"}) {
    SCOPED_TRACE(name);
    EXPECT_EQ(tensor_format(data(name)), TensorFormat::npz);
    const TensorFile file = read_tensor_file(data(name));
    EXPECT_EQ(file.tensors.size(), 3U);
    EXPECT_EQ(file.tensors.at("a").to_vector(), values);
    EXPECT_EQ(file.tensors.at("b.c").to_vector(), (std::vector<double>{1, 0}));
    EXPECT_EQ(file.tensors.at("scalar").to_vector(), std::vector<double>{7});
  }
}

// NumPy's own bytes, so NumPy reads them.
TEST(Npy, WritesWhatNumPyWould) {
  const Tensor matrix = ops::reshape(Tensor::arange(6, DType::float32), {2, 3});
  EXPECT_EQ(npy_bytes(matrix), read_file(data("matrix.npy")));
}

TEST(Npy, EveryTypeAndShapeReturns) {
  const test::TemporaryFolder folder;
  TensorFile file;
  for (const DType dtype :
       {DType::float32, DType::float64, DType::float16, DType::uint8, DType::int64})
    file.tensors["a." + std::string(name_of(dtype))] =
        ops::cast(Tensor::arange(5, DType::float64), dtype);
  file.tensors["scalar"] = Tensor::scalar(2.5);
  file.tensors["empty"] = Tensor::empty({2, 0, 3});
  file.tensors["transposed"] =
      ops::transpose(ops::reshape(Tensor::arange(6, DType::float64), {2, 3}), 0, 1);
  write_npz(folder.path() / "file", file);
  const TensorFile read = read_tensor_file(folder.path() / "file");
  ASSERT_EQ(read.tensors.size(), file.tensors.size());
  for (const auto& [name, tensor] : file.tensors) {
    EXPECT_TRUE(test::equal_bits(read.tensors.at(name), tensor)) << name;
    write_npy(folder.path() / "one", tensor);
    EXPECT_TRUE(
        test::equal_bits(read_tensor_file(folder.path() / "one").tensors.at("tensor"), tensor));
  }
  write_npz(folder.path() / "none", {});
  EXPECT_TRUE(read_tensor_file(folder.path() / "none").tensors.empty());
}

TEST(Npy, SaysWhatTheFormatCannotHold) {
  expect_contains(test::error_of([] { npy_bytes(Tensor::empty({1}, DType::bfloat16)); }),
                  "cast it to float32");
  const test::TemporaryFolder folder;
  expect_contains(test::error_of([&] {
                    write_npz(folder.path() / "x", {{}, {{"a", "b"}}});
                  }),
                  "no place for metadata");
}

TEST(Npy, HeadersInOtherStyles) {
  const std::string one = "\0\0\x80\x3f"s;
  for (const char* header :
       {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'shape':(1,),'fortran_order':True,'descr':'<f4',}\n",
        "  { 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 1 , ) , }   "})
    for (const char version : {1, 2, 3})
      EXPECT_EQ(parse_npy(npy(header, one, version)).to_vector(), std::vector<double>{1}) << header;
}

TEST(Npy, RefusesHeadersThatLie) {
  const auto header = [](const std::string& descr, const std::string& shape) {
    return "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }";
  };
  expect_contains(error_for(header("'<f4'", "(2,)"), "abcd"), "takes 8 bytes, 4 are there");
  expect_contains(error_for(header("'<f4'", "(1,)"), "abcde"), "takes 4 bytes, 5 are there");
  expect_contains(error_for(header("'<f4'", "(-1,)")), "no whole number");
  expect_contains(error_for(header("'<f4'", "(99999999999999999999,)")), "no whole number");
  expect_contains(error_for(header("'<f4'", "(4611686018427387904, 4)")), "address space");
  expect_contains(error_for(header("'<f4'", "(0, 9223372036854775807, 9)")), "address space");
  expect_contains(error_for(header("'<f4'", "(1,1,1,1,1,1,1,1,1)"), "abcd"), "more than 8");
  expect_contains(error_for(header("'<f4'", "(1)"), "abcd"), "no tuple");
  expect_contains(error_for(header("'<f4'", "[1]"), "abcd"), "( should be");
  expect_contains(error_for(header("'|O'", "(1,)"), "abcd"), "Python objects");
  expect_contains(error_for(header("'>f4'", "(1,)"), "abcd"), "big-endian");
  expect_contains(error_for(header("'<c8'", "(1,)"), "abcdefgh"), "of type \"<c8\"");
  expect_contains(error_for(header("[('x', '<f4')]", "(1,)"), "abcd"), "has fields");
  expect_contains(error_for("{'descr': '<f4', 'shape': (1,), }", "abcd"), "lacks");
  expect_contains(error_for("{'descr': '<f4', 'descr': '<f4', }", "abcd"), "second time");
  expect_contains(error_for("{'other': 1}", "abcd"), "unknown");
  expect_contains(error_for(header("'<f4'", "(1,)") + "x", "abcd"), "goes on after its end");
  expect_contains(error_for("__import__('os').system('true')"), "{ should be");
  expect_contains(error_for("{'descr"), "has no end");
  expect_contains(error_for(""), "{ should be");
  expect_contains(test::error_of([] { parse_npy(npy("{}", "", 4)); }), "unknown version");
  expect_contains(test::error_of([] { parse_npy(bytes_of("\x93NUMPY\1\0\xff\xff"s)); }),
                  "does not fit");
  expect_contains(test::error_of([] { parse_npz(write_zip({{"a.txt", {}}})); }), "no .npy file");
}

TEST(Npy, NoDamageCrashes) {
  for (const char* name : {"matrix.npy", "fortran.npy", "arrays.npz", "compressed.npz"}) {
    const Bytes good = read_file(data(name));
    const auto parse = [&](std::span<const std::byte> bytes) {
      if (std::string(name).ends_with("npz"))
        parse_npz(bytes);
      else
        parse_npy(bytes);
    };
    for (std::size_t length = 0; length < good.size(); ++length)
      test::error_of([&] { parse({good.data(), length}); });
    std::size_t refused = 0;
    for (std::size_t place = 0; place < good.size(); ++place)
      for (const int change : {1, 0x80, 0xff}) {
        Bytes bad = good;
        bad[place] ^= static_cast<std::byte>(change);
        try {
          parse(bad);
        } catch (const Error&) {
          ++refused;
        }
      }
    EXPECT_GT(refused, 200U) << name;
  }
}

}  // namespace
}  // namespace mini::io
