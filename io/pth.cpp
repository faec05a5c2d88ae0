#include "io/pth.h"

#include <array>
#include <charconv>
#include <cstring>
#include <functional>

#include "io/element_type.h"
#include "io/file.h"
#include "io/pickle.h"
#include "io/zip.h"
#include "tensor/view.h"

namespace mini::io {
namespace {

using Value = PickleValue;
using Kind = PickleValue::Kind;
using Storages = std::map<std::string, std::span<const std::byte>>;

constexpr int max_depth = 100;                // of nested dictionaries and modules
constexpr std::size_t max_name = 1000;        // bytes
constexpr std::int64_t max_visits = 1 << 20;  // a pickle may refer to one value many times

std::string text_of(const Value& value) {
  if (value.is(Kind::boolean)) return value.integer != 0 ? "true" : "false";
  if (value.is(Kind::integer)) return std::to_string(value.integer);
  if (value.is(Kind::text)) return value.text;
  std::array<char, 32> digits{};
  return {digits.data(), std::to_chars(digits.begin(), digits.end(), value.real).ptr};
}

// Walks the values and makes the tensors.
class Collector {
 public:
  // Gives the bytes of a storage that is no view. `budget`: how many bytes all of the result may
  // take; views repeat a storage as often as they like, so the file's size alone bounds nothing.
  using Find = std::function<std::span<const std::byte>(const Value& storage)>;
  Collector(Find find, std::uint64_t budget) : find_(std::move(find)), budget_(budget) {}

  void collect(const Value& value, const std::string& name, int depth = 0) {
    check(depth < max_depth && ++visits_ <= max_visits, "\"", name,
          "\" nests too deep or refers to itself");
    check(name.size() <= max_name, "a name is longer than ", max_name, " bytes");
    const auto child = [&](const std::string& key) {
      return name.empty() ? key : name + "." + key;
    };
    switch (value.kind) {
      case Kind::tensor:
        add(file_.tensors, name.empty() ? "tensor" : name, make_tensor(value, name));
        return;
      case Kind::dict:
        for (std::size_t i = 0; i + 1 < value.items.size(); i += 2)
          collect(*value.items[i + 1], child(key_text(*value.items[i], name)), depth + 1);
        return;
      case Kind::list:
        for (std::size_t i = 0; i < value.items.size(); ++i)
          collect(*value.items[i], child(std::to_string(i)), depth + 1);
        return;
      case Kind::object:
        return collect_object(value, name, depth);
      case Kind::boolean:
      case Kind::integer:
      case Kind::real:
      case Kind::text:
        if (name.empty()) return;
        charge(value.text.size(), name);
        add(file_.metadata, name, text_of(value));
        return;
      case Kind::storage:
        fail("\"", name, "\" is a bare storage, not a tensor");
      case Kind::none:
      case Kind::global:
        return;
    }
  }

  TensorFile take() { return std::move(file_); }

 private:
  template <class Map, class Item>
  static void add(Map& map, const std::string& name, Item item) {
    check(map.emplace(name, std::move(item)).second, "\"", name, "\" appears twice");
  }

  void charge(std::uint64_t bytes, const std::string& name) {
    check(bytes <= budget_, "\"", name, "\" grows far beyond the size of the file");
    budget_ -= bytes;
  }

  static std::string key_text(const Value& key, const std::string& name) {
    check(
        key.is(Kind::text) || key.is(Kind::integer) || key.is(Kind::boolean) || key.is(Kind::real),
        "a key under \"", name, "\" is neither text nor number");
    return text_of(key);
  }

  // A module's state_dict(); of any other object the attributes.
  void collect_object(const Value& object, const std::string& name, int depth) {
    const Value* state = object.base;
    if (state == nullptr || !state->is(Kind::dict)) return;
    const Value* parameters = find_key(state, "_parameters");
    if (parameters == nullptr) return collect(*state, name, depth + 1);
    const Value* transient = find_key(state, "_non_persistent_buffers_set");
    const auto saved = [&](const Value& buffer) {
      if (transient == nullptr) return true;
      return std::none_of(transient->items.begin(), transient->items.end(),
                          [&](const Value* item) { return item->text == buffer.text; });
    };
    collect(*parameters, name, depth + 1);
    if (const Value* buffers = find_key(state, "_buffers")) {
      Value kept;
      kept.kind = Kind::dict;
      for (std::size_t i = 0; i + 1 < buffers->items.size(); i += 2)
        if (saved(*buffers->items[i]))
          kept.items.insert(kept.items.end(), {buffers->items[i], buffers->items[i + 1]});
      collect(kept, name, depth + 1);
    }
    if (const Value* modules = find_key(state, "_modules")) collect(*modules, name, depth + 1);
  }

  Tensor make_tensor(const Value& value, const std::string& name) {
    const Value& storage = *value.base;
    const auto& extents = value.items[0]->items;
    const auto& steps = value.items[1]->items;
    check(extents.size() == steps.size() && extents.size() <= static_cast<std::size_t>(max_rank),
          "tensor \"", name, "\" has ", extents.size(), " extents and ", steps.size(),
          " strides (at most ", max_rank, " dimensions)");
    // The last element that it reaches must lie in its storage; nothing may overflow before that is
    // known. Then span, the elements from the first to the last reached, is at most the storage.
    Shape shape, strides;
    std::int64_t span = 1, product = 1;
    bool overflow = value.offset < 0, empty = false;
    for (std::size_t i = 0; i < extents.size(); ++i) {
      const std::int64_t extent = extents[i]->integer, step = steps[i]->integer;
      overflow |= extent < 0 || step < 0;
      std::int64_t reach = 0;
      empty |= extent == 0;
      overflow |= __builtin_mul_overflow(std::max<std::int64_t>(extent, 1) - 1, step, &reach);
      overflow |= __builtin_add_overflow(span, reach, &span);
      overflow |= __builtin_mul_overflow(product, std::max<std::int64_t>(extent, 1), &product);
      shape.push_back(extent);
      strides.push_back(step);
    }
    check(!overflow && product <= (std::int64_t{1} << 56), "tensor \"", name, "\" has shape ",
          shape, " with strides ", strides, " at offset ", value.offset, ", which cannot be right");
    if (empty) return Tensor::empty(shape, dtype_of(storage.type));
    check(span <= storage.integer && value.offset <= storage.integer - span, "tensor \"", name,
          "\" of shape ", shape, " with strides ", strides, " at offset ", value.offset,
          " leaves its storage of ", storage.integer, " elements");

    const DType dtype = dtype_of(storage.type);
    const std::size_t size = element_size(storage.type);
    const auto all = bytes_of(storage);  // so `span` elements are really there
    charge(static_cast<std::uint64_t>(span + product) * element_size(dtype), name);
    const auto part = all.subspan(static_cast<std::size_t>(value.offset) * size,
                                  static_cast<std::size_t>(span) * size);
    const Tensor elements = Tensor::empty({span}, dtype);
    convert_elements(part, storage.type, elements);
    return ops::contiguous(elements.as_strided(shape, strides, 0));
  }

  std::span<const std::byte> bytes_of(const Value& storage) {
    const Value& root = storage.base != nullptr ? *storage.base : storage;
    const std::size_t size = element_size(root.type);
    const auto bytes = find_(root);
    check(bytes.size() / size == static_cast<std::size_t>(root.integer) && bytes.size() % size == 0,
          "storage \"", root.text, "\" has ", bytes.size(), " bytes, ", root.integer,
          " elements of ", size, " expected");
    return bytes.subspan(static_cast<std::size_t>(storage.offset) * size,
                         static_cast<std::size_t>(storage.integer) * size);
  }

  Find find_;
  std::uint64_t budget_;
  std::int64_t visits_ = 0;
  TensorFile file_;
};

std::uint64_t budget_for(std::span<const std::byte> bytes) {
  return 16 * static_cast<std::uint64_t>(bytes.size()) + (std::uint64_t{64} << 20);
}

TensorFile parse_zip(std::span<const std::byte> bytes) {
  const ZipArchive archive(bytes);
  const std::string pickle_name = archive.find_ending("/data.pkl");
  check(!pickle_name.empty(), "the zip archive has no data.pkl: not written by torch.save");
  const std::string folder = pickle_name.substr(0, pickle_name.size() - std::strlen("data.pkl"));
  if (archive.contains(folder + "byteorder"))
    check(as_text(archive.read(folder + "byteorder")) == "little",
          "the file is not in little-endian byte order");
  auto program = archive.read(pickle_name);
  Unpickler unpickler;
  const Value* root = unpickler.load(program);
  Storages storages;  // so that each is checked once
  Collector collector(
      [&](const Value& storage) {
        const auto [found, is_new] = storages.try_emplace(storage.text);
        if (is_new) found->second = archive.read(folder + "data/" + storage.text);
        return found->second;
      },
      budget_for(bytes));
  collector.collect(*root, "");
  return collector.take();
}

// The number that begins the legacy format, 0x1950a86a20f9469cfc6c, as a pickle holds it.
constexpr std::string_view magic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

TensorFile parse_legacy(std::span<const std::byte> bytes) {
  auto rest = bytes;
  Unpickler unpickler;
  check(unpickler.load(rest)->text == magic, "the file was not written by torch.save");
  const Value* version = unpickler.load(rest);
  check(version->is(Kind::integer) && version->integer == 1001, "unknown version of the format");
  const Value* endian = find_key(unpickler.load(rest), "little_endian");
  check(endian != nullptr && endian->integer == 1, "the file is not in little-endian byte order");
  const Value* root = unpickler.load(rest);
  const Value* keys = unpickler.load(rest);
  check(keys->is(Kind::list), "the file has no list of storages");

  // A storage here is its number of elements and then these; of how many bytes each, only the
  // persistent ids in the pickle say.
  std::map<std::string, ElementType> types;
  for (const Value& value : unpickler.values())
    if (value.is(Kind::storage) && value.base == nullptr) types[value.text] = value.type;
  Storages storages;
  for (const Value* key : keys->items) {
    const auto type = types.find(key->text);
    check(key->is(Kind::text) && type != types.end(), "storage \"", key->text,
          "\" belongs to no tensor");
    check(rest.size() >= sizeof(std::uint64_t), "the file is truncated");
    std::uint64_t count = 0;
    std::memcpy(&count, rest.data(), sizeof(count));
    rest = rest.subspan(sizeof(count));
    const std::size_t size = element_size(type->second);
    check(count <= rest.size() / size, "the file is truncated: storage \"", key->text, "\" has ",
          count, " elements, ", rest.size(), " bytes are left");
    storages[key->text] = rest.first(count * size);
    rest = rest.subspan(count * size);
  }
  Collector collector(
      [&](const Value& storage) {
        const auto found = storages.find(storage.text);
        check(found != storages.end(), "storage \"", storage.text, "\" is missing");
        return found->second;
      },
      budget_for(bytes));
  collector.collect(*root, "");
  return collector.take();
}

TensorFile parse(std::span<const std::byte> bytes) {
  return as_text(bytes).starts_with("PK") ? parse_zip(bytes) : parse_legacy(bytes);
}

}  // namespace

TensorFile parse_pth(std::span<const std::byte> bytes) {
  try {
    return parse(bytes);
  } catch (const Error& error) {
    fail("pth: ", error.what());
  }
}

TensorFile read_pth(const std::filesystem::path& path) {
  const Bytes bytes = read_file(path);
  try {
    return parse(bytes);
  } catch (const Error& error) {
    fail("pth: ", path.string(), ": ", error.what());
  }
}

}  // namespace mini::io
