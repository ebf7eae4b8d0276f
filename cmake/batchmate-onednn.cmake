# Defines batchmate::onednn, for <batchmate/onednn.hpp>, if oneDNN is found; otherwise says what is missing in
# batchmate_onednn_missing. Also part of the installed package.
#
# The library is looked up by its files: Debian's dnnl-config.cmake stops the whole configuration where the OpenCL
# headers are missing, which nothing here needs.
if(TARGET batchmate::onednn)
  return()
endif()

find_path(DNNL_INCLUDE_DIR dnnl.hpp)
find_library(DNNL_LIBRARY dnnl)
mark_as_advanced(DNNL_INCLUDE_DIR DNNL_LIBRARY)
if(NOT DNNL_INCLUDE_DIR OR NOT DNNL_LIBRARY)
  set(batchmate_onednn_missing "oneDNN (Debian's libdnnl-dev)")
  return()
endif()

# Imported, so that a library which links it can be exported: whoever uses that finds this by find_package(batchmate).
add_library(batchmate::onednn INTERFACE IMPORTED GLOBAL)
target_include_directories(batchmate::onednn SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
target_link_libraries(batchmate::onednn INTERFACE batchmate::batchmate ${DNNL_LIBRARY})
