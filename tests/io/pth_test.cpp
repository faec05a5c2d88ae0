// PyTorch's files: small ones beside this test (made by data/make.py), three real ones, and
// programs that no file of weights should be.
#include "io/pth.h"

#include <cstring>
#include <string>

#include "io/file.h"
#include "io/tensor_file.h"
#include "tests/support/support.h"

namespace mini::io {
namespace {

using namespace std::string_literals;

namespace fs = std::filesystem;

fs::path data(const std::string& name) {
  return fs::path(MINI_SOURCE_DIR) / "tests/io/data" / name;
}

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "\"" << text << "\" lacks \"" << part << "\"";
}

void expect_tensor(const TensorFile& file, const std::string& name, DType dtype, const Shape& shape,
                   const std::vector<double>& values) {
  ASSERT_TRUE(file.tensors.contains(name)) << name;
  const Tensor& tensor = file.tensors.at(name);
  EXPECT_EQ(tensor.dtype(), dtype) << name;
  EXPECT_EQ(tensor.shape(), shape) << name;
  EXPECT_EQ(tensor.to_vector(), values) << name;
  EXPECT_TRUE(tensor.is_contiguous()) << name;
}

TEST(Pth, CheckpointsOfEveryFormat) {
  for (const char* name : {"zip.pth", "legacy.pth", "protocol4.pth"}) {
    SCOPED_TRACE(name);
    const TensorFile file = read_tensor_file(data(name));
    const std::string s = "state_dict.";
    std::vector<double> base(12);
    for (std::size_t i = 0; i < 12; ++i) base[i] = static_cast<double>(i) / 4;
    expect_tensor(file, s + "base", DType::float32, {3, 4}, base);
    expect_tensor(file, s + "transposed", DType::float32, {4, 3},
                  {0, 1, 2, 0.25, 1.25, 2.25, 0.5, 1.5, 2.5, 0.75, 1.75, 2.75});
    expect_tensor(file, s + "slice", DType::float32, {2, 2}, {1.25, 1.5, 2.25, 2.5});
    expect_tensor(file, s + "double", DType::float64, {2}, {0.1, -1e300});
    expect_tensor(file, s + "half", DType::float16, {2}, {1.5, -65504});
    expect_tensor(file, s + "bfloat16", DType::bfloat16, {2}, {1.5, -3.00405527047391e+38});
    expect_tensor(file, s + "int64", DType::int64, {2}, {1099511627776, -7});
    expect_tensor(file, s + "int32", DType::int64, {2}, {-2147483648.0, 5});
    expect_tensor(file, s + "int16", DType::int64, {1}, {-300});
    expect_tensor(file, s + "int8", DType::int64, {2}, {-128, 127});
    expect_tensor(file, s + "uint8", DType::uint8, {2, 1}, {0, 255});
    expect_tensor(file, s + "bool", DType::uint8, {2}, {1, 0});
    expect_tensor(file, s + "scalar", DType::float32, {}, {2.5});
    expect_tensor(file, s + "empty", DType::float32, {0, 3}, {});
    expect_tensor(file, s + "expanded", DType::float32, {2, 3}, {7, 7, 7, 7, 7, 7});
    expect_tensor(file, s + "parameter", DType::float32, {2}, {1, 2});
    expect_tensor(file, "list.0", DType::float32, {1}, {4});
    EXPECT_EQ(file.tensors.size(), 17U);
    const std::map<std::string, std::string> metadata{
        {"step", "1234567890123"}, {"lr", "2e-04"}, {"name", "tiny"},
        {"done", "true"},          {"list.1", "3"}, {"list.2", "-200"},
        {"size.0", "2"},           {"size.1", "3"}, {"5", "five"}};
    EXPECT_EQ(file.metadata, metadata);
  }
}

TEST(Pth, ATensorAlone) {
  expect_tensor(read_pth(data("alone.pth")), "tensor", DType::float32, {1, 2}, {1, 2});
}

// PyTorch always adds zip64 records; other writers leave them out of small files.
TEST(Pth, AnArchiveWithoutZip64Records) {
  Bytes bytes = read_file(data("alone.pth"));
  constexpr std::size_t end_bytes = 22, records64_bytes = 56 + 20;
  const std::size_t end = bytes.size() - end_bytes, record = end - records64_bytes;
  ASSERT_EQ(std::memcmp(bytes.data() + record, "PK\6\6", 4), 0);
  const auto copy = [&](std::size_t from, std::size_t to, std::size_t count) {
    std::memcpy(bytes.data() + to, bytes.data() + from, count);
  };
  copy(record + 32, end + 10, 2);  // number of entries
  copy(record + 48, end + 16, 4);  // offset of the directory
  bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(record),
              bytes.begin() + static_cast<std::ptrdiff_t>(end));
  expect_tensor(parse_pth(bytes), "tensor", DType::float32, {1, 2}, {1, 2});
}

TEST(Pth, WholeModulesGiveTheirStateDict) {
  const TensorFile file = read_pth(data("module_legacy.pth"));
  expect_tensor(file, "enc.0.weight", DType::float32, {2, 1, 1, 1}, {0.5, -0.25});
  expect_tensor(file, "enc.0.bias", DType::float32, {2}, {1, 2});
  expect_tensor(file, "enc.1.weight", DType::float32, {2}, {1, 1});
  expect_tensor(file, "enc.1.running_var", DType::float32, {2}, {1, 1});
  expect_tensor(file, "enc.1.num_batches_tracked", DType::int64, {}, {0});
  expect_tensor(file, "scale", DType::float32, {1}, {3});
  expect_tensor(file, "kept", DType::int64, {1}, {1});
  EXPECT_EQ(file.tensors.size(), 9U) << "transient is no part of the state";
  expect_tensor(read_pth(data("module_zip.pth")), "0.weight", DType::float32, {2, 1, 1, 1},
                {0.5, -0.25});
}

TEST(Pth, UnknownClassesAreNamed) {
  expect_contains(test::error_of([] { read_pth(data("module_unknown.pth")); }), "user_code.Net");
}

// FNV-1a over all names, shapes and values, in the order of the names.
std::uint64_t digest(const TensorFile& file) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto add = [&](std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes)
      hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3U;
  };
  for (const auto& [name, tensor] : file.tensors) {
    add(as_bytes(concat_text(name, tensor.shape())));
    add({tensor.raw_data(), tensor.bytes()});
  }
  return hash;
}

// The expected values are those that torch.load gives (PyTorch 1.13.1, state_dict() of the module).
TEST(Pth, RealFilesReadAsInPyTorch) {
  const auto shared = test::shared_folder();
  if (!shared) GTEST_SKIP() << "no shared folder";
  struct Expected {
    const char* file;
    std::size_t count;
    std::uint64_t digest;
    const char* name;
    Shape shape;
    double first, last;
  };
  const std::vector<Expected> table{
      {"FIRN_x4.pth",
       962,
       0x2c5c8f5665bfe0f2,
       "operations.16.reduce_conv.0.weight",
       {22, 45, 1, 1},
       0.04752293974161148,
       0.07049689441919327},
      {"FIRN_x4.pth", 962, 0x2c5c8f5665bfe0f2, "operations.0.haar_weights", {12, 1, 2, 2}, 1, 1},
      {"lpips_v0.1_alex_lin.pth",
       5,
       0xc147c2700e2f4b6c,
       "lin0.model.1.weight",
       {1, 64, 1, 1},
       3.7879954106756486e-06,
       0},
      {"lpips_v0.1_alex_lin.pth",
       5,
       0xc147c2700e2f4b6c,
       "lin4.model.1.weight",
       {1, 256, 1, 1},
       0.19301725924015045,
       0.08454063534736633},
      {"vdsr_legacy.pth",
       20,
       0xdd5232a0572cc86f,
       "model.residual_layer.1.conv.weight",
       {64, 64, 3, 3},
       0.0018998102750629187,
       1.858199539128691e-05},
      {"vdsr_legacy.pth",
       20,
       0xdd5232a0572cc86f,
       "model.output.weight",
       {1, 64, 3, 3},
       -0.29769280552864075,
       -0.05840815603733063},
  };
  for (const Expected& expected : table) {
    SCOPED_TRACE(expected.file);
    const TensorFile file = read_tensor_file(*shared / "weights/pth" / expected.file);
    EXPECT_EQ(file.tensors.size(), expected.count);
    EXPECT_EQ(digest(file), expected.digest);
    ASSERT_TRUE(file.tensors.contains(expected.name));
    const Tensor& tensor = file.tensors.at(expected.name);
    EXPECT_EQ(tensor.shape(), expected.shape);
    const std::vector<double> values = tensor.to_vector();
    EXPECT_EQ(values.front(), expected.first);
    EXPECT_EQ(values.back(), expected.last);
  }
  EXPECT_EQ(read_pth(*shared / "weights/pth/vdsr_legacy.pth").metadata.at("epoch"), "50");
}

// A legacy file around any program.
std::string legacy(std::string_view program, std::string_view storages = "") {
  using namespace std::string_view_literals;
  std::string text("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."sv);
  text += "\x80\x02M\xe9\x03."sv;
  text += "\x80\x02}U\x0dlittle_endian\x88s."sv;
  text += program;
  text += storages;
  return text;
}

std::string error_for(std::string_view program, std::string_view storages = "\x80\x02].") {
  const std::string file = legacy(program, storages);
  return test::error_of([&] { parse_pth(as_bytes(file)); });
}

TEST(Pth, RunsNothing) {
  // os.system("true"), by REDUCE, by NEWOBJ and as a value that nobody calls.
  expect_contains(error_for("cposix\nsystem\nU\4true\x85R."), "posix.system");
  expect_contains(error_for("cposix\nsystem\nU\4true\x85\x81."), "posix.system");
  expect_contains(error_for("cposix\nsystem\n."), "posix.system");
  expect_contains(error_for("U\5posixU\6system\x93U\4true\x85R."), "posix.system");
  expect_contains(error_for("cbuiltins\neval\n)R."), "builtins.eval");
  // INST, OBJ and extension codes run code too; they are not even known.
  expect_contains(error_for("(iposix\nsystem\n."), "opcode 105");
  expect_contains(error_for("(cposix\nsystem\no."), "opcode 111");
  expect_contains(error_for("\x82\1."), "opcode 130");
}

TEST(Pth, RefusesProgramsThatAreNotSound) {
  expect_contains(error_for("."), "ends with 0 values");
  expect_contains(error_for("NN."), "ends with 2 values");
  expect_contains(error_for("0."), "runs empty");
  expect_contains(error_for("t."), "lacks a mark");
  expect_contains(error_for("(a."), "runs empty");
  expect_contains(error_for("h\7."), "never stored");
  expect_contains(error_for("NNa."), "no list");
  expect_contains(error_for("}(Nu."), "key without a value");
  expect_contains(error_for("N)R."), "no function");
  expect_contains(error_for("NQ."), "persistent id");
  expect_contains(error_for("NNb."), "no object");
  expect_contains(error_for("ctorch._utils\n_rebuild_tensor_v2\n)R."), "a way that mini does not");
}

TEST(Pth, RefusesWhatHasNoEnd) {
  // A list that holds itself; a thousand lists in each other; 2^40 references to one value.
  expect_contains(error_for("]q\1h\1a."), "nests too deep or refers to itself");
  std::string deep, wide = "N";
  for (int i = 0; i < 1000; ++i) deep += ']';
  for (int i = 1; i < 1000; ++i) deep += 'a';
  expect_contains(error_for(deep + "."), "nests too deep");
  for (int i = 0; i < 40; ++i) wide += "q\1h\1\x86";
  expect_contains(error_for(wide + "."), "refer to each other too often");
  // Copies of copies.
  std::string copies = "]q\1(";
  for (int i = 0; i < 3000; ++i) copies += 'N';
  copies += 'e';
  for (int i = 0; i < 1000; ++i) copies += "0c__builtin__\nset\nh\1\x85R";
  expect_contains(error_for(copies + "."), "copies more than");
}

// One storage "k" of four floats, and a tensor on it with the given offset, shape and strides.
std::string tensor_program(const std::string& offset, const std::string& shape,
                           const std::string& strides) {
  return "ctorch._utils\n_rebuild_tensor\n((U\7storagectorch\nFloatStorage\nU\1kU\3cpuK\4tQ" +
         offset + shape + strides + "tR.";
}

TEST(Pth, RefusesTensorsOutsideTheirStorage) {
  const std::string storages = "\x80\x02]U\1ka.\4\0\0\0\0\0\0\0"s + std::string(16, '\0');
  const auto parse = [&](const std::string& program, const std::string& behind) {
    const std::string file = legacy(program, behind);
    return parse_pth(as_bytes(file));
  };
  const std::string huge = "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", minus = "J\xff\xff\xff\xff";
  EXPECT_EQ(
      parse(tensor_program("K\1", "K\3\x85", "K\1\x85"), storages).tensors.at("tensor").shape(),
      Shape({3}));
  const auto refused = [&](const std::string& offset, const std::string& shape,
                           const std::string& strides) {
    return test::error_of([&] { parse(tensor_program(offset, shape, strides), storages); });
  };
  expect_contains(refused("K\2", "K\3\x85", "K\1\x85"), "leaves its storage of 4");
  expect_contains(refused("K\0"s, "K\2K\3\x86", "K\3K\1\x86"), "leaves its storage of 4");
  expect_contains(refused(minus, "K\3\x85", "K\1\x85"), "cannot be right");
  expect_contains(refused("K\3", "K\3\x85", minus + "\x85"), "cannot be right");
  expect_contains(refused("K\0"s, minus + "\x85", "K\1\x85"), "cannot be right");
  expect_contains(refused(huge, "K\3\x85", "K\1\x85"), "leaves its storage");
  expect_contains(refused("K\0"s, huge + "\x85", "K\0\x85"s), "cannot be right");
  expect_contains(refused("K\0"s, huge + huge + "\x86", huge + huge + "\x86"), "cannot be right");
  expect_contains(refused("K\0"s, "J\0\0\0\x70\x85"s, "K\0\x85"s), "beyond the size of the file");
  expect_contains(refused("K\0"s, "K\3\x85", "K\1K\1\x86"), "1 extents and 2 strides");
  expect_contains(test::error_of([&] {
                    parse(tensor_program("K\1", "K\3\x85", "K\1\x85"),
                          storages.substr(0, storages.size() - 1));
                  }),
                  "truncated");
}

TEST(Pth, TensorFilesAreToldApartByContent) {
  const test::TemporaryFolder folder;
  TensorFile file;
  file.tensors["x"] = Tensor::scalar(1);
  // A header of 0x280 bytes begins like a pickle.
  write_safetensors(folder.path() / "plain", file);
  file.metadata["filler"] = std::string(0x280 - 108, 'x');
  write_safetensors(folder.path() / "0x280", file);
  ASSERT_EQ(static_cast<int>(read_file(folder.path() / "0x280")[0]), 0x80);
  for (const char* name : {"plain", "0x280"})
    EXPECT_EQ(read_tensor_file(folder.path() / name).tensors.at("x").item(), 1);
  for (const char* text : {"", "P", "hello, world", "\x80"}) {
    write_file_atomically(folder.path() / "other", text);
    expect_contains(test::error_of([&] { read_tensor_file(folder.path() / "other"); }),
                    "is no file of weights");
  }
}

TEST(Pth, ErrorsNameTheFile) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "cut.pth";
  const Bytes bytes = read_file(data("zip.pth"));
  write_file_atomically(path, std::span(bytes).first(bytes.size() / 2));
  expect_contains(test::error_of([&] { read_tensor_file(path); }), path.string());
  expect_contains(test::error_of([&] { read_tensor_file(path); }), "truncated");
}

// Each prefix is refused, each change of one byte is read or refused with an Error. The checksums
// of a zip archive find nearly every change, the legacy format has none.
TEST(Pth, NoDamageCrashes) {
  for (const char* name : {"alone.pth", "zip.pth", "legacy.pth", "module_legacy.pth"}) {
    SCOPED_TRACE(name);
    const Bytes good = read_file(data(name));
    for (std::size_t length = 0; length < good.size(); ++length)
      test::error_of([&] { parse_pth({good.data(), length}); });
    std::size_t refused = 0;
    for (std::size_t place = 0; place < good.size(); ++place) {
      for (const int change : {1, 0x80, 0xff}) {
        Bytes bad = good;
        bad[place] ^= static_cast<std::byte>(change);
        try {
          parse_pth(bad);
        } catch (const Error&) {
          ++refused;
        }
      }
    }
    EXPECT_GT(refused, good.size());
  }
}

}  // namespace
}  // namespace mini::io
