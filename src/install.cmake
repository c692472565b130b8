# What `cmake --install` puts where, and the Debian package `cpack -G DEB` makes of it.
include(GNUInstallDirs)
set(TWS_UNITDIR "lib/systemd/system" CACHE STRING "Where systemd looks for units")

install(TARGETS tws RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES docs/man/tws.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/man/tws.yaml.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES completion/tws DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
file(GLOB tws_documents docs/*.md)
install(FILES README.md LICENSE ${tws_documents} DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
file(GLOB tws_examples example/*.yaml)
install(FILES ${tws_examples} example/nginx.conf systemd/tws-client@.socket systemd/tws-server@.socket
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

# These name the program where this installation puts it, known only when it is installed.
install(CODE "
  foreach(file systemd/tws-server@.service systemd/tws-client@.service example/tws-client-net-admin.conf)
    file(READ \"${CMAKE_SOURCE_DIR}/\${file}\" text)
    string(REPLACE \"/usr/bin/tws\" \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/tws\" text \"\${text}\")
    file(WRITE \"${CMAKE_BINARY_DIR}/\${file}\" \"\${text}\")
  endforeach()")
install(FILES ${CMAKE_BINARY_DIR}/example/tws-client-net-admin.conf DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES ${CMAKE_BINARY_DIR}/systemd/tws-server@.service ${CMAKE_BINARY_DIR}/systemd/tws-client@.service
  DESTINATION ${TWS_UNITDIR})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tws)
set(CPACK_PACKAGE_VENDOR "the tws authors")
set(CPACK_PACKAGE_CONTACT "the tws authors <tws@localhost>")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_SOURCE_DIR}/dist)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# shlibdeps sees what is linked; the event loop's plugin is loaded at run time.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libwebsockets-evlib-uv, ca-certificates")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "nginx")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "${PROJECT_DESCRIPTION}
 tws client accepts TCP connections and carries them over a pool of WebSocket
 connections, usually through nginx and TLS, to tws server, which connects each
 to its target. Connections live on when the links under them die.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${CMAKE_SOURCE_DIR}/systemd/debian/postinst;${CMAKE_SOURCE_DIR}/systemd/debian/prerm;${CMAKE_SOURCE_DIR}/systemd/debian/postrm")
include(CPack)
