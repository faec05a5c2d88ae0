// What image files hold beside the pixels: what programs hand on, which is Exif data, the colour profile
// and a note of mini's own, and how good the copy is.
//
//              JPEG                  PNG           WebP
//   Exif       APP1 "Exif"           eXIf          EXIF
//   profile    APP2 "ICC_PROFILE"    iCCP          ICCP
//   note       COM "mini: ..."       tEXt "mini"   XMP
//
// Sources: Exif 2.32 (CIPA DC-008); ICC.1:2022, annex B; PNG, third edition, 11.3; RFC 9649, 2.7.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "io/file.h"

namespace mini::io {

struct Metadata {
  Bytes exif{};     // begins with the TIFF header; its orientation is 1, since images are upright
  Bytes profile{};  // ICC
  std::string note{};  // one line of printable ASCII without quotes and angle brackets
  // Of a file that was read: the quality that its encoder was asked for, 1 to 100, as its quantisers show
  // it. JPEG: that of libjpeg whose luminance table is nearest; lossy WebP: about that of libwebp
  // (io/webp_quality.cpp). Other formats have none.
  std::optional<int> quality{};
};

// The orientation that Exif data asks for, 1 to 8; 1 where it says none.
int exif_orientation(std::span<const std::byte> tiff);
// Sets it to 1, where there is one.
void clear_exif_orientation(std::span<std::byte> tiff);

// The note as an XMP packet, and the note in a packet; empty where there is none.
std::string note_to_xmp(std::string_view note);
std::string note_from_xmp(std::string_view xmp);
// Whether every format can hold the note as it is; strangers' files may hold others.
bool is_note(std::string_view note);

}  // namespace mini::io
