#include "io/pth.h"

#include <array>
#include <charconv>
#include <cstring>
#include <functional>
#include <unordered_set>

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

constexpr int max_depth = 100;          // of nested dictionaries and modules
constexpr std::size_t max_name = 1000;  // bytes
constexpr std::size_t list_shown = 16;  // numbers and texts of a list that become metadata

std::string text_of(const Value& value) {
  if (value.is(Kind::boolean)) return value.integer != 0 ? "true" : "false";
  if (value.is(Kind::integer)) return std::to_string(value.integer);
  if (value.is(Kind::text)) return value.text;
  std::array<char, 32> digits{};
  return {digits.data(), std::to_chars(digits.begin(), digits.end(), value.real).ptr};
}

void check_size(const Value& storage, std::uint64_t bytes) {
  const std::size_t size = element_size(storage.type);
  check(bytes / size == static_cast<std::uint64_t>(storage.integer) && bytes % size == 0,
        "storage \"", storage.text, "\" has ", bytes, " bytes, ", storage.integer, " elements of ",
        size, " expected");
}

bool is_plain(const Value& value) {
  return value.is(Kind::boolean) || value.is(Kind::integer) || value.is(Kind::real) ||
         value.is(Kind::text);
}

// Limits on the result. A pickle may refer to one value many times, and views may repeat a storage any
// number of times, so the file's size alone bounds nothing.
struct Budget {
  explicit Budget(std::uint64_t file_bytes)
      : text(32 * file_bytes + (1 << 20)), elements(16 * file_bytes + (8 << 20)) {}
  std::uint64_t text;      // bytes of names and metadata, and values looked at
  std::uint64_t elements;  // bytes
};

// Walks the values and makes the tensors.
class Collector {
 public:
  // Gives the bytes of a storage that is not a view of another.
  using Find = std::function<std::span<const std::byte>(const Value& storage)>;
  Collector(Find find, Budget budget) : find_(std::move(find)), budget_(budget) {}

  void collect(const Value& value, const std::string& name, int depth = 0) {
    check(depth < max_depth, "\"", name, "\" nests too deep or refers to itself");
    check(name.size() <= max_name, "a name is longer than ", max_name, " bytes");
    charge(budget_.text, name.size() + 1, name);
    switch (value.kind) {
      case Kind::tensor:
        return add(file_.tensors, name.empty() ? "tensor" : name, make_tensor(value, name));
      case Kind::dict:
        for (std::size_t i = 0; i + 1 < value.items.size(); i += 2)
          collect_member(*value.items[i], *value.items[i + 1], name, depth);
        return;
      case Kind::list:
        return collect_list(value, name, depth);
      case Kind::object:
        return collect_object(value, name, depth);
      case Kind::boolean:
      case Kind::integer:
      case Kind::real:
      case Kind::text:
        if (name.empty()) return;
        charge(budget_.text, value.text.size(), name);
        return add(file_.metadata, name, text_of(value));
      case Kind::storage:
        return pass_over(name, "a storage without a tensor");
      case Kind::global:
        return pass_over(name, value.text);
      case Kind::none:
        return;
    }
  }

  TensorFile take() { return std::move(file_); }

 private:
  template <class Map, class Item>
  static void add(Map& map, const std::string& name, Item item) {
    check(map.emplace(name, std::move(item)).second, "\"", name, "\" appears twice");
  }

  static void charge(std::uint64_t& budget, std::uint64_t amount, const std::string& name) {
    check(amount <= budget, "\"", name,
          "\" grows far beyond the size of the file: values refer to each other too often");
    budget -= amount;
  }

  static std::string below(const std::string& name, const std::string& key) {
    return name.empty() ? key : name + "." + key;
  }

  void pass_over(const std::string& name, const std::string& what) {
    charge(budget_.text, name.size() + what.size(), name);
    file_.passed_over.push_back(concat_text(name.empty() ? "all" : name, " (", what, ")"));
  }

  void collect_member(const Value& key, const Value& value, const std::string& name, int depth) {
    if (is_plain(key)) return collect(value, below(name, text_of(key)), depth + 1);
    pass_over(name, "a value under a key that is neither text nor number");
  }

  // A long list of numbers (a history of losses) becomes one line.
  void collect_list(const Value& list, const std::string& name, int depth) {
    std::size_t left_out = 0;
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i >= list_shown && is_plain(*list.items[i]))
        ++left_out;
      else
        collect(*list.items[i], below(name, std::to_string(i)), depth + 1);
    }
    charge(budget_.text, left_out, name);
    if (left_out > 0) pass_over(name, concat_text(left_out, " more numbers and texts"));
  }

  // A module gives its state_dict(), an object of settings its attributes.
  void collect_object(const Value& object, const std::string& name, int depth) {
    const Value* state = object.base;
    if (state == nullptr || !state->is(Kind::dict)) return pass_over(name, object.text);
    constexpr int searches = 4;
    charge(budget_.text, searches * state->items.size(), name);
    const Value* parameters = find_key(state, "_parameters");
    if (parameters == nullptr) return collect(*state, name, depth + 1);
    collect(*parameters, name, depth + 1);
    if (const Value* buffers = find_key(state, "_buffers"))
      collect_buffers(*buffers, find_key(state, "_non_persistent_buffers_set"), name, depth + 1);
    if (const Value* modules = find_key(state, "_modules")) collect(*modules, name, depth + 1);
  }

  // Transient buffers are left out, as in state_dict().
  void collect_buffers(const Value& buffers, const Value* transient, const std::string& name,
                       int depth) {
    std::unordered_set<std::string_view> left_out;
    if (transient != nullptr) {
      charge(budget_.text, transient->items.size(), name);
      for (const Value* item : transient->items) left_out.insert(item->text);
    }
    for (std::size_t i = 0; i + 1 < buffers.items.size(); i += 2)
      if (!left_out.contains(buffers.items[i]->text))
        collect_member(*buffers.items[i], *buffers.items[i + 1], name, depth);
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
    const DType dtype = dtype_of(value.type);
    if (empty) return Tensor::empty(shape, dtype);
    const std::size_t size = element_size(value.type);
    const auto all = bytes_of(storage);
    const auto available = static_cast<std::int64_t>(all.size() / size);
    check(span <= available && value.offset <= available - span, "tensor \"", name, "\" of shape ",
          shape, " with strides ", strides, " at offset ", value.offset, " leaves its storage of ",
          available, " elements");
    charge(budget_.elements, static_cast<std::uint64_t>(span + product) * element_size(dtype),
           name);
    const auto part = all.subspan(static_cast<std::size_t>(value.offset) * size,
                                  static_cast<std::size_t>(span) * size);
    const Tensor elements = Tensor::empty({span}, dtype);
    convert_elements(part, value.type, elements);
    return ops::contiguous(elements.as_strided(shape, strides, 0));
  }

  std::span<const std::byte> bytes_of(const Value& storage) {
    const Value& root = storage.base != nullptr ? *storage.base : storage;
    const std::size_t size = element_size(root.type);
    const auto bytes = find_(root);
    check_size(root, bytes.size());
    return bytes.subspan(static_cast<std::size_t>(storage.offset) * size,
                         static_cast<std::size_t>(storage.integer) * size);
  }

  Find find_;
  Budget budget_;
  TensorFile file_;
};

// PyTorch compares names without regard to case, so two that differ in nothing else are one.
std::string find_pickle(const ZipArchive& archive) {
  std::string found;
  for (const std::string& name : archive.names()) {
    std::string lower = name;
    for (char& c : lower)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (lower != "data.pkl" && !lower.ends_with("/data.pkl")) continue;
    check(found.empty(), "the zip archive holds both \"", found, "\" and \"", name,
          "\"; which one is read would be a matter of luck");
    found = name;
  }
  check(found.ends_with("/data.pkl"), "the zip archive has no data.pkl: not written by torch.save");
  return found;
}

TensorFile parse_zip(std::span<const std::byte> bytes) {
  ZipArchive archive(bytes);
  const std::string pickle_name = find_pickle(archive);
  const std::string folder = pickle_name.substr(0, pickle_name.size() - std::strlen("data.pkl"));
  check(!archive.contains(folder + "constants.pkl"),
        "the file is a program of TorchScript; load it in PyTorch and save its state_dict()");
  if (archive.contains(folder + "byteorder"))
    check(as_text(archive.read(folder + "byteorder")) == "little",
          "the file is not in little-endian byte order");
  auto program = archive.read(pickle_name);
  Unpickler unpickler(bytes.size());
  const Value* root = unpickler.load(program);
  Storages storages;  // each is checked once
  Collector collector(
      [&](const Value& storage) {
        const auto [found, is_new] = storages.try_emplace(storage.text);
        if (is_new) {
          const std::string name = folder + "data/" + storage.text;
          check_size(storage, archive.size(name));  // before it is unpacked
          found->second = archive.read(name);
        }
        return found->second;
      },
      Budget(bytes.size()));
  collector.collect(*root, "");
  return collector.take();
}

TensorFile parse_legacy(std::span<const std::byte> bytes) {
  auto rest = bytes;
  Unpickler unpickler(bytes.size());
  const std::string& magic = unpickler.load(rest)->text;
  check(magic == legacy_magic || magic == legacy_magic_digits,
        "the file is a pickle, but not written by torch.save");
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
    check(storages.emplace(key->text, rest.first(count * size)).second, "storage \"", key->text,
          "\" is there twice");
    rest = rest.subspan(count * size);
  }
  check(rest.empty(), "there are ", rest.size(), " bytes behind the last storage");
  Collector collector(
      [&](const Value& storage) {
        const auto found = storages.find(storage.text);
        check(found != storages.end(), "storage \"", storage.text, "\" is missing");
        return found->second;
      },
      Budget(bytes.size()));
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
