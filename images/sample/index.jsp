<%@ page contentType="text/html; charset=UTF-8" %><%--
  The page of the example javaweb: which pod answers. The names come from the downward API as environment variables.
--%><%!
  private static String env(String name) {
    String value = System.getenv(name);
    return value == null ? "unknown" : value;
  }
%><!doctype html>
<html lang="en">
<head><title>sample</title></head>
<body>
<h1>Hello from pod <%= env("POD_NAME") %></h1>
<p>Its address is <%= env("POD_IP") %>; <%= application.getServerInfo() %> serves this page from a WAR
that an init container put into a volume of the pod.</p>
</body>
</html>
