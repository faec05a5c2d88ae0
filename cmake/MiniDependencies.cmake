# What mini builds on, all from Debian's packages; tools/lib/setup.sh installs them.
set(mini_suffixes ${CMAKE_FIND_LIBRARY_SUFFIXES})
if(MINI_PORTABLE)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
endif()
find_package(Threads REQUIRED)
find_package(JPEG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(WEBP REQUIRED IMPORTED_TARGET libwebp libwebpmux)
set(CMAKE_FIND_LIBRARY_SUFFIXES ${mini_suffixes})

set(MINI_LIBRARIES JPEG::JPEG PNG::PNG ZLIB::ZLIB PkgConfig::WEBP
    $<BUILD_INTERFACE:nlohmann_json::nlohmann_json>)
