# Parts that mini can do without. One is used only where a program that needs it was compiled and
# linked: a header may be there without its library, a library without its header, a compiler that
# cannot compile, and FindMPI defines its target even where it found nothing.

# mini_probe(MISSING FILE LINK LIBRARY... [INCLUDE FOLDER...] [OPTIONS OPTION...]): builds
# cmake/probes/FILE; MISSING is empty where that succeeds, else it says what failed. Tried anew at every
# configuration, since what was missing may have been installed.
function(mini_probe missing file)
  cmake_parse_arguments(PARSE_ARGV 2 probe "" "" "LINK;INCLUDE;OPTIONS")
  try_compile(built SOURCES ${PROJECT_SOURCE_DIR}/cmake/probes/${file} NO_CACHE
              CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${probe_INCLUDE}"
              COMPILE_DEFINITIONS ${probe_OPTIONS} LINK_LIBRARIES ${probe_LINK} OUTPUT_VARIABLE output)
  set(log CMakeFiles/probes/${file}.log)
  file(WRITE ${CMAKE_BINARY_DIR}/${log} "${output}")
  if(built)
    set(${missing} "" PARENT_SCOPE)
  else()
    set(${missing} "found, but cmake/probes/${file} does not build with it (${CMAKE_BINARY_DIR}/${log})"
        PARENT_SCOPE)
  endif()
endfunction()

# mini_decide(RESULT NAME OPTION FOUND MISSING REMEDY): whether a part is used, ON or OFF, and one line
# that says so. OPTION is AUTO, ON or OFF; with ON, what is MISSING is an error that names the REMEDY.
function(mini_decide result name option found missing remedy)
  set(used OFF)
  if(NOT ${option})
    set(why "${option}=OFF")
  elseif(NOT missing)
    set(used ON)
    set(why "${found}")
  elseif(${option} STREQUAL AUTO)
    set(why "${missing}; to have it, ${remedy}")
  else()
    message(FATAL_ERROR "${option}=${${option}}, but ${name}: ${missing}. "
                        "Please ${remedy}, or use -D${option}=OFF.")
  endif()
  message(STATUS "${name}: ${used} (${why})")
  set(${result} ${used} PARENT_SCOPE)
endfunction()
