#include "io/tensor_file.h"

#include <algorithm>
#include <cstring>

#include "io/file.h"
#include "io/npy.h"
#include "io/pickle.h"
#include "io/pth.h"

namespace mini::io {
namespace {

using namespace std::string_view_literals;

// Files that people mistake for weights, recognised by their first bytes.
struct Mistake {
  std::string_view start, remedy;
};
constexpr Mistake mistakes[] = {
    {"version https://git-lfs.github.com/spec/",
     "is the pointer that Git LFS left in place of the "
     "file; fetch the file itself with `git lfs pull`"},
    {"<!DOCTYPE", "is a web page; download the file itself"},
    {"<html", "is a web page; download the file itself"},
    {"\x89HDF\r\n\x1a\n", "is an HDF5 file; save the weights as safetensors"},
    {"GGUF", "is a GGUF file; save the weights as safetensors"},
    {"\x1f\x8b", "is packed by gzip; unpack it with gunzip"},
    {"7z\xbc\xaf\x27\x1c", "is packed by 7-Zip; unpack it"},
};

bool is_safetensors(std::string_view start, std::uint64_t size) {
  std::uint64_t length = 0;
  if (start.size() <= sizeof(length) || start[sizeof(length)] != '{') return false;
  std::memcpy(&length, start.data(), sizeof(length));
  return length <= size - sizeof(length);
}

// Tells .npz from .pth by the name of the archive's first entry.
bool is_npz(std::string_view start) {
  constexpr std::size_t header = 30, length_at = 26;
  if (start.size() < header) return false;
  std::uint16_t length = 0;
  std::memcpy(&length, start.data() + length_at, sizeof(length));
  return start.substr(header, length).ends_with(".npy");
}

TensorFormat format_of(const std::filesystem::path& path) {
  const InputFile file(path);
  std::string start(std::min<std::uint64_t>(file.size(), 512), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(start)));
  if (start.starts_with("PK\3\4"))
    return is_npz(start) ? TensorFormat::npz : TensorFormat::torch_zip;
  if (start.starts_with("PK\5\6")) return TensorFormat::npz;  // an empty archive
  if (start.starts_with("\x93NUMPY")) return TensorFormat::npy;
  // Comes before pickles: the length of a safetensors header may begin with 0x80, as a pickle does.
  if (is_safetensors(start, file.size())) return TensorFormat::safetensors;
  const bool pickle = start.size() > 1 && start[0] == '\x80' && start[1] > 0 && start[1] <= 5;
  if (pickle || start.starts_with("L" + std::string(legacy_magic_digits)))
    return TensorFormat::torch_legacy;
  check(!start.empty(), "is no file of weights: it is empty");
  for (const Mistake& mistake : mistakes) check(!start.starts_with(mistake.start), mistake.remedy);
  check(start.size() < 262 || start.substr(257, 5) != "ustar",
        "is a tar archive, as PyTorch wrote before 0.1.10; load it there and save it anew");
  fail(
      "is no file of weights: expected safetensors, what PyTorch's torch.save writes, or .npy and "
      ".npz");
}

}  // namespace

std::string_view name_of(TensorFormat format) {
  switch (format) {
    case TensorFormat::safetensors:
      return "safetensors";
    case TensorFormat::torch_zip:
      return "PyTorch, zip archive";
    case TensorFormat::torch_legacy:
      return "PyTorch, legacy pickle";
    case TensorFormat::npy:
      return "NumPy, one array";
    case TensorFormat::npz:
      return "NumPy, zip archive";
  }
  fail("name_of: unknown format");
}

TensorFormat tensor_format(const std::filesystem::path& path) {
  try {
    return format_of(path);
  } catch (const Error& error) {
    fail("weights: ", path.string(), ": ", error.what());
  }
}

TensorFile read_tensor_file(const std::filesystem::path& path) {
  const TensorFormat format = tensor_format(path);
  if (format == TensorFormat::safetensors) return read_safetensors(path);
  if (format == TensorFormat::torch_zip || format == TensorFormat::torch_legacy)
    return read_pth(path);
  const Bytes bytes = read_file(path);
  try {
    if (format == TensorFormat::npz) return parse_npz(bytes);
    TensorFile file;
    file.tensors.emplace("tensor", parse_npy(bytes));
    return file;
  } catch (const Error& error) {
    fail(path.string(), ": ", error.what());
  }
}

}  // namespace mini::io
