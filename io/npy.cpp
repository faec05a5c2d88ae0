#include "io/npy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "io/element_type.h"
#include "io/zip.h"
#include "tensor/view.h"

namespace mini::io {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t max_header = 10'000;  // NumPy's own limit, in bytes

struct TypeName {
  ElementType type;
  std::string_view name;  // with | for single bytes, which have no order
};
constexpr std::array type_names{
    TypeName{ElementType::float64, "<f8"}, TypeName{ElementType::int64, "<i8"},
    TypeName{ElementType::float32, "<f4"}, TypeName{ElementType::float16, "<f2"},
    TypeName{ElementType::uint8, "|u1"},   TypeName{ElementType::boolean, "|b1"},
    TypeName{ElementType::int8, "|i1"},    TypeName{ElementType::int16, "<i2"},
    TypeName{ElementType::int32, "<i4"},   TypeName{ElementType::uint16, "<u2"},
    TypeName{ElementType::uint32, "<u4"},
};

ElementType type_of(std::string_view name) {
  for (const TypeName& known : type_names)
    if (known.name == name) return known.type;
  check(!name.starts_with('>'), "the array is big-endian (", name,
        "); save it as array.astype(array.dtype.newbyteorder('<'))");
  check(name.find('O') == std::string_view::npos,
        "the array holds Python objects, which are a pickle; save numbers instead");
  fail("the array is of type \"", name,
       "\", which mini does not read (it reads <f8 <f4 <f2 <i8 |u1, and widens |b1 and the other "
       "integers up to 32 bits)");
}

// Reads the header's text from left to right, one token at a time.
class HeaderText {
 public:
  explicit HeaderText(std::string_view text) : text_(text) {}

  bool take(std::string_view part) {
    skip_spaces();
    if (!text_.starts_with(part)) return false;
    text_.remove_prefix(part.size());
    return true;
  }

  void need(std::string_view part) {
    check(take(part), "the header has \"", text_.substr(0, 20), "\" where ", part, " should be");
  }

  std::string_view quoted() {
    need("'");
    const std::size_t end = text_.find('\'');
    check(end != std::string_view::npos, "a text in the header has no end");
    const std::string_view result = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return result;
  }

  bool truth() {
    if (take("True")) return true;
    need("False");
    return false;
  }

  // (), (3,), (3, 4)
  Shape shape() {
    Shape shape;
    need("(");
    while (!take(")")) {
      check(shape.rank() < max_rank, "the array has more than ", max_rank, " dimensions");
      std::int64_t extent = 0;
      skip_spaces();
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), extent);
      check(error == std::errc() && extent >= 0,
            "the header has an extent that is no whole number");
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      shape.push_back(extent);
      // The comma after the last number may be missing, except after a single one: (3) is no tuple.
      if (take(",")) continue;
      check(shape.rank() > 1, "the header's shape is no tuple");
      need(")");
      break;
    }
    return shape;
  }

  void need_end() {
    skip_spaces();
    check(text_.empty(), "the header goes on after its end");
  }

 private:
  void skip_spaces() {
    text_.remove_prefix(std::min(text_.find_first_not_of(" \n"), text_.size()));
  }

  std::string_view text_;
};

struct Header {
  ElementType type = ElementType::float32;
  bool fortran_order = false;  // the first index runs fastest
  Shape shape;
};

Header parse_header(std::string_view text) {
  Header header;
  HeaderText rest(text);
  bool type = false, order = false, shape = false;
  rest.need("{");
  while (!rest.take("}")) {
    const std::string_view key = rest.quoted();
    bool& known = key == "descr" ? type : key == "fortran_order" ? order : shape;
    check((key == "descr" || key == "fortran_order" || key == "shape") && !known,
          "the header has the key \"", key, "\", unknown or for the second time");
    known = true;
    rest.need(":");
    if (key == "descr") {
      check(!rest.take("["), "the array has fields; mini reads arrays of numbers");
      header.type = type_of(rest.quoted());
    } else if (key == "fortran_order") {
      header.fortran_order = rest.truth();
    } else {
      header.shape = rest.shape();
    }
    if (rest.take(",")) continue;
    rest.need("}");
    break;
  }
  rest.need_end();
  check(type && order && shape, "the header lacks descr, fortran_order or shape");
  return header;
}

// The array's size in bytes. Throws on overflow, also where another extent is 0.
std::size_t bytes_of(const Header& header) {
  std::uint64_t bytes = element_size(header.type);
  bool overflow = false, empty = false;
  for (const std::int64_t extent : header.shape) {
    overflow |= __builtin_mul_overflow(bytes, std::max<std::int64_t>(extent, 1), &bytes);
    empty |= extent == 0;
  }
  check(!overflow && bytes <= INT64_MAX, "shape ", header.shape, " exceeds the address space");
  return empty ? 0 : bytes;
}

Shape reversed(const Shape& shape) {
  Shape result;
  for (int i = shape.rank(); i-- > 0;) result.push_back(shape[i]);
  return result;
}

Tensor parse(std::span<const std::byte> bytes) {
  check(as_text(bytes).starts_with(magic), "does not begin as a .npy file");
  check(bytes.size() >= magic.size() + 2, "truncated");
  const auto major = static_cast<unsigned>(bytes[magic.size()]);
  check(major >= 1 && major <= 3 && bytes[magic.size() + 1] == std::byte{0},
        "is of an unknown version of the format");
  bytes = bytes.subspan(magic.size() + 2);
  const std::size_t width = major == 1 ? 2 : 4;
  check(bytes.size() >= width, "truncated");
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data(), width);
  bytes = bytes.subspan(width);
  check(length <= max_header && length <= bytes.size(), "a header of ", length,
        " bytes does not fit the ", bytes.size(), " there are (at most ", max_header, ")");
  const Header header = parse_header(as_text(bytes.first(length)));
  bytes = bytes.subspan(length);
  const std::size_t expected = bytes_of(header);
  check(bytes.size() == expected, "shape ", header.shape, " takes ", expected, " bytes, ",
        bytes.size(), " are there");
  const Tensor tensor = Tensor::empty(header.fortran_order ? reversed(header.shape) : header.shape,
                                      dtype_of(header.type));
  convert_elements(bytes, header.type, tensor);
  if (!header.fortran_order) return tensor;
  return ops::contiguous(tensor.as_strided(header.shape, reversed(tensor.strides()), 0));
}

std::string_view name_of_type(DType dtype) {
  for (const TypeName& known : type_names)
    if (dtype_of(known.type) == dtype) return known.name;
  fail("npy: ", dtype, " has no name in NumPy; cast it to float32 before");
}

}  // namespace

Tensor parse_npy(std::span<const std::byte> bytes) {
  try {
    return parse(bytes);
  } catch (const Error& error) {
    fail("npy: ", error.what());
  }
}

TensorFile parse_npz(std::span<const std::byte> bytes) {
  constexpr std::string_view suffix = ".npy";
  TensorFile file;
  ZipArchive archive(bytes);
  for (const std::string& name : archive.names()) {
    try {
      check(name.ends_with(suffix), "no .npy file");
      file.tensors.emplace(name.substr(0, name.size() - suffix.size()), parse(archive.read(name)));
    } catch (const Error& error) {
      fail("npz: \"", name, "\": ", error.what());
    }
  }
  return file;
}

Bytes npy_bytes(const Tensor& tensor) {
  std::string shape;
  for (const std::int64_t extent : tensor.shape()) shape += std::to_string(extent) + ", ";
  if (tensor.rank() > 1) shape.resize(shape.size() - 2);
  if (tensor.rank() == 1) shape.resize(shape.size() - 1);
  std::string header = concat_text("{'descr': '", name_of_type(tensor.dtype()),
                                   "', 'fortran_order': False, 'shape': (", shape, "), }");
  // The elements begin at a multiple of 64 bytes, after a line break.
  constexpr std::size_t alignment = 64, before = 10;
  const std::size_t filled = (before + header.size() + alignment) / alignment * alignment;
  header.resize(filled - before - 1, ' ');
  header += '\n';
  const auto length = static_cast<std::uint16_t>(header.size());
  std::string start(magic);
  start += {'\1', '\0', static_cast<char>(length & 0xff), static_cast<char>(length >> 8)};
  start += header;
  const Tensor values = ops::contiguous(ops::to_device(tensor, {}));
  const auto front = as_bytes(start);
  Bytes bytes(front.begin(), front.end());
  bytes.insert(bytes.end(), values.raw_data(), values.raw_data() + values.bytes());
  return bytes;
}

void write_npy(const std::filesystem::path& path, const Tensor& tensor) {
  write_file_atomically(path, npy_bytes(tensor));
}

void write_npz(const std::filesystem::path& path, const TensorFile& file) {
  check(file.metadata.empty(), "npz: ", path.string(),
        ": the format has no place for metadata; write safetensors, or clear it");
  std::map<std::string, Bytes> entries;
  for (const auto& [name, tensor] : file.tensors) entries.emplace(name + ".npy", npy_bytes(tensor));
  write_file_atomically(path, write_zip(entries));
}

}  // namespace mini::io
