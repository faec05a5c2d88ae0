// Exif's orientation and the note as XMP. How the formats store them is in their own files.
#include "io/metadata.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "io/byte_reader.h"

namespace mini::io {
namespace {

constexpr std::uint16_t orientation_tag = 0x0112, type_short = 3;

// Where the two bytes of the orientation are.
struct OrientationPlace {
  std::size_t place;
  bool little_endian;
  int value;
};

std::optional<OrientationPlace> find_orientation(std::span<const std::byte> tiff) {
  try {
    ByteReader file(tiff);
    const auto order = as_text(file.take(2));
    if (order != "II" && order != "MM") return {};
    const bool little = order == "II";
    const auto number = [&]<class T>(T) { return little ? file.little<T>() : file.big<T>(); };
    file.skip(2);  // 42
    file.seek(number(std::uint32_t{}));
    for (int entries = number(std::uint16_t{}); entries > 0; --entries) {
      const auto tag = number(std::uint16_t{}), type = number(std::uint16_t{});
      const auto count = number(std::uint32_t{});
      const std::size_t place = file.place();
      const auto value = number(std::uint16_t{});
      file.skip(2);
      if (tag != orientation_tag) continue;
      if (type != type_short || count != 1 || value < 1 || value > 8) return {};
      return OrientationPlace{place, little, value};
    }
  } catch (const Error&) {  // damaged Exif data does no harm to the pixels
  }
  return {};
}

constexpr std::string_view xmp_begin =
    R"(<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF )"
    R"(xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" )"
    R"(xmlns:mini="urn:mini" )";
constexpr std::string_view xmp_note = R"(mini:note=")";
constexpr std::string_view xmp_end = R"("/></rdf:RDF></x:xmpmeta>)";

}  // namespace

int exif_orientation(std::span<const std::byte> tiff) {
  const auto found = find_orientation(tiff);
  return found ? found->value : 1;
}

void clear_exif_orientation(std::span<std::byte> tiff) {
  const auto found = find_orientation(tiff);
  if (!found) return;
  tiff[found->place] = std::byte{found->little_endian};
  tiff[found->place + 1] = std::byte{!found->little_endian};
}

std::string note_to_xmp(std::string_view note) {
  return concat_text(xmp_begin, xmp_note, note, xmp_end);
}

std::string note_from_xmp(std::string_view xmp) {
  const std::size_t begin = xmp.find(xmp_note);
  if (begin == std::string_view::npos) return {};
  xmp.remove_prefix(begin + xmp_note.size());
  return std::string(xmp.substr(0, xmp.find('"')));
}

bool is_note(std::string_view note) {
  return note.size() <= 1000 && std::all_of(note.begin(), note.end(), [](char c) {
           return c >= ' ' && c <= '~' && c != '"' && c != '<' && c != '>' && c != '&';
         });
}

}  // namespace mini::io
