#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "io/checksum.h"
#include "io/element_type.h"
#include "io/file.h"
#include "io/json.h"
#include "tensor/view.h"

namespace mini::io {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t max_header = 100'000'000;  // the format's own limit, in bytes
constexpr std::size_t max_depth = 3;               // {name: {"shape": [...]}}

const std::string checksums_key = "mini.crc32";

struct TypeName {
  ElementType type;
  const char* name;
};
// The types that mini writes come first, widest first, which is the order of the tensors in the file.
constexpr std::array type_names{
    TypeName{ElementType::float64, "F64"},   TypeName{ElementType::int64, "I64"},
    TypeName{ElementType::float32, "F32"},   TypeName{ElementType::float16, "F16"},
    TypeName{ElementType::bfloat16, "BF16"}, TypeName{ElementType::uint8, "U8"},
    TypeName{ElementType::boolean, "BOOL"},  TypeName{ElementType::int8, "I8"},
    TypeName{ElementType::int16, "I16"},     TypeName{ElementType::int32, "I32"},
    TypeName{ElementType::uint16, "U16"},    TypeName{ElementType::uint32, "U32"},
};

struct Entry {
  std::string name;
  ElementType type = ElementType::float32;
  Shape shape;
  std::uint64_t begin = 0, end = 0;  // in the data, bytes
};

std::uint64_t unsigned_of(const Json& value, const std::string& name, const char* what) {
  check(value.is_number_unsigned(), "tensor \"", name, "\": ", what,
        " is no whole number from 0 up");
  return value.get<std::uint64_t>();
}

Entry parse_entry(const std::string& name, const Json& json) {
  check(json.is_object() && json.size() == 3 && json.contains("dtype") && json.contains("shape") &&
            json.contains("data_offsets"),
        "tensor \"", name, "\" must have dtype, shape and data_offsets, and nothing else");
  Entry entry;
  entry.name = name;
  const Json &dtype = json["dtype"], &shape = json["shape"], &offsets = json["data_offsets"];
  check(dtype.is_string() && shape.is_array() && offsets.is_array() && offsets.size() == 2,
        "tensor \"", name, "\": dtype is a text, shape a list, data_offsets a pair");
  const auto& type_name = dtype.get_ref<const std::string&>();
  const auto* known = std::find_if(type_names.begin(), type_names.end(),
                                   [&](const TypeName& type) { return type.name == type_name; });
  check(known != type_names.end(), "tensor \"", name, "\" is of dtype \"", type_name,
        "\", which mini does not read (it reads F32 F64 F16 BF16 U8 I64, and widens BOOL and the "
        "other integers up to 32 bits)");
  entry.type = known->type;
  check(shape.size() <= static_cast<std::size_t>(max_rank), "tensor \"", name, "\" has ",
        shape.size(), " dimensions, mini takes ", max_rank);
  std::uint64_t expected = element_size(entry.type);
  bool overflow = false, empty = false;
  for (const Json& extent : shape) {
    const std::uint64_t value = unsigned_of(extent, name, "an extent");
    check(value <= INT64_MAX, "tensor \"", name, "\": extent ", value, " cannot be right");
    entry.shape.push_back(static_cast<std::int64_t>(value));
    // Checked for empty tensors too, since their other extents must not overflow the strides.
    overflow |= __builtin_mul_overflow(expected, std::max<std::uint64_t>(value, 1), &expected);
    empty |= value == 0;
  }
  check(!overflow && expected <= INT64_MAX, "tensor \"", name, "\": shape ", entry.shape,
        " exceeds the address space");
  if (empty) expected = 0;
  entry.begin = unsigned_of(offsets[0], name, "an offset");
  entry.end = unsigned_of(offsets[1], name, "an offset");
  check(entry.begin <= entry.end && entry.end - entry.begin == expected, "tensor \"", name,
        "\": offsets ", entry.begin, " to ", entry.end, " do not hold the ", expected, " bytes of ",
        type_name, entry.shape);
  return entry;
}

struct Header {
  std::vector<Entry> entries;  // in the order of their data
  std::map<std::string, std::string> metadata;
};

Json header_json(std::string_view text) {
  check(text.starts_with('{'), "the header does not begin with {");
  try {
    return parse_json(text, max_depth);
  } catch (const Error& error) {
    fail("the header is no valid JSON: ", error.what());
  }
}

// `text` is the JSON, `data_size` the number of bytes that follow it.
Header parse_header(std::string_view text, std::uint64_t data_size) {
  const Json json = header_json(text);
  Header header;
  for (const auto& [name, value] : json.items()) {
    if (name == "__metadata__") {
      check(value.is_object(), "__metadata__ is no object");
      for (const auto& [key, text_value] : value.items()) {
        check(text_value.is_string(), "__metadata__: \"", key, "\" is no text");
        header.metadata.emplace(key, text_value.get<std::string>());
      }
    } else {
      header.entries.push_back(parse_entry(name, value));
    }
  }
  std::sort(header.entries.begin(), header.entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t expected = 0;
  for (const Entry& entry : header.entries) {
    check(entry.begin == expected, "tensor \"", entry.name, "\" begins at byte ", entry.begin,
          " of the data, ", expected, " expected: tensors must neither overlap nor leave holes");
    expected = entry.end;
  }
  check(expected == data_size, "the header describes ", expected, " bytes of data, the file has ",
        data_size);
  return header;
}

constexpr std::size_t digits = 8;  // of a checksum

std::string text_of(std::uint32_t checksum) {
  std::string text(digits, '0');
  for (std::size_t i = 0; i < digits; ++i)
    text[i] = "0123456789abcdef"[checksum >> (28 - 4 * i) & 15];
  return text;
}

// Compares the checksums of the tensors that were read with those in the metadata.
void verify(const std::map<std::string, std::uint32_t>& checksums, std::string_view written) {
  constexpr const char* remedy =
      "; if another program changed the tensors on purpose, let it leave mini.crc32 out of the "
      "metadata";
  check(written.size() == digits * checksums.size(), "there are ", checksums.size(),
        " tensors, but not as many checksums in the metadata", remedy);
  for (const auto& [name, checksum] : checksums) {
    check(written.substr(0, digits) == text_of(checksum), "tensor \"", name,
          "\" is damaged: its checksum does not match", remedy);
    written.remove_prefix(digits);
  }
}

// Reads through `read_at(offset, to)`, so that a file and a span of memory share one path.
TensorFile read(std::uint64_t size,
                const std::function<void(std::uint64_t, std::span<std::byte>)>& read_at) {
  std::uint64_t length = 0;
  check(size >= sizeof(length), size, " bytes are too few for a safetensors file");
  read_at(0, std::as_writable_bytes(std::span(&length, 1)));
  check(length <= max_header && length <= size - sizeof(length), "a header of ", length,
        " bytes does not fit a file of ", size);
  const std::uint64_t data_begin = sizeof(length) + length;
  std::string text(length, ' ');
  read_at(sizeof(length), std::as_writable_bytes(std::span(text)));
  Header header = parse_header(text, size - data_begin);

  TensorFile file;
  const auto written = header.metadata.extract(checksums_key);
  std::map<std::string, std::uint32_t> checksums;
  for (const Entry& entry : header.entries) {
    const Tensor tensor = Tensor::empty(entry.shape, dtype_of(entry.type));
    const std::uint64_t bytes = entry.end - entry.begin;
    Bytes narrow;
    std::span<std::byte> to(tensor.raw_data(), tensor.bytes());
    if (bytes != to.size()) {
      narrow.resize(bytes);
      to = narrow;
    }
    read_at(data_begin + entry.begin, to);
    if (!written.empty()) checksums.emplace(entry.name, crc32(to));
    if (!narrow.empty()) convert_elements(narrow, entry.type, tensor);
    file.tensors.emplace(entry.name, tensor);
  }
  if (!written.empty()) verify(checksums, written.mapped());
  file.metadata = std::move(header.metadata);
  return file;
}

std::size_t type_rank(DType dtype) {
  std::size_t rank = 0;
  while (dtype_of(type_names[rank].type) != dtype) ++rank;
  return rank;
}

}  // namespace

TensorFile parse_safetensors(std::span<const std::byte> bytes) {
  try {
    return read(bytes.size(), [&](std::uint64_t offset, std::span<std::byte> to) {
      if (!to.empty()) std::memcpy(to.data(), bytes.data() + offset, to.size());
    });
  } catch (const Error& error) {
    fail("safetensors: ", error.what());
  }
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  const InputFile input(path);
  try {
    return read(input.size(),
                [&](std::uint64_t offset, std::span<std::byte> to) { input.read_at(offset, to); });
  } catch (const Error& error) {
    fail("safetensors: ", path.string(), ": ", error.what());
  }
}

void write_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  struct Named {
    std::string name;
    Tensor tensor;
  };
  std::vector<Named> order;
  std::string checksums;
  for (const auto& [name, tensor] : file.tensors) {
    check(name != "__metadata__", "safetensors: no tensor may be called __metadata__");
    order.push_back({name, ops::contiguous(ops::to_device(tensor, {}))});
    checksums += text_of(crc32({order.back().tensor.raw_data(), tensor.bytes()}));
  }
  std::stable_sort(order.begin(), order.end(), [](const Named& a, const Named& b) {
    return type_rank(a.tensor.dtype()) < type_rank(b.tensor.dtype());
  });

  Json json = Json::object();
  json["__metadata__"] = file.metadata;
  json["__metadata__"][checksums_key] = checksums;
  std::size_t offset = 0;
  for (const auto& [name, tensor] : order) {
    json[name] = {
        {"dtype", type_names[type_rank(tensor.dtype())].name},
        {"shape", std::vector<std::int64_t>(tensor.shape().begin(), tensor.shape().end())},
        {"data_offsets", {offset, offset + tensor.bytes()}}};
    offset += tensor.bytes();
  }
  std::string header;
  try {
    header = json.dump();
  } catch (const Json::exception& error) {
    fail("safetensors: cannot write ", path.string(), ": a name is no valid UTF-8 (", error.what(),
         ")");
  }
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const auto length = static_cast<std::uint64_t>(header.size());
  check(length <= max_header, "safetensors: ", path.string(), ": a header of ", length,
        " bytes exceeds the format's limit");

  AtomicFile output(path);
  output.write(std::as_bytes(std::span(&length, 1)));
  output.write(as_bytes(header));
  for (const auto& [name, tensor] : order) output.write({tensor.raw_data(), tensor.bytes()});
  output.commit();
}

}  // namespace mini::io
