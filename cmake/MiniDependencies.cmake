# What mini builds on, all from Debian's packages; tools/lib/setup.sh installs them.
find_package(OpenMP REQUIRED)
find_package(JPEG REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(WEBP REQUIRED IMPORTED_TARGET libwebp)
find_path(STB_INCLUDE_DIR stb/stb_image.h REQUIRED)

set(MINI_LIBRARIES JPEG::JPEG PkgConfig::WEBP
    $<BUILD_INTERFACE:nlohmann_json::nlohmann_json>)
include_directories(SYSTEM ${STB_INCLUDE_DIR})
