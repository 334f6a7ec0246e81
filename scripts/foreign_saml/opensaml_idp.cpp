// Responses of OpenSAML, the C++ library of Shibboleth, one for each configuration: the scene comes on standard input.
//
// Objects, namespaces, IDs and serialization are OpenSAML's, signatures those of Apache's Santuario that it signs with. OpenSAML
// leaves the request to whoever uses it (Shibboleth's own provider is another program), so the ID answered is the scene's.

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <unistd.h>

#include <boost/property_tree/json_parser.hpp>
#include <saml/SAMLConfig.h>
#include <saml/saml2/core/Assertions.h>
#include <saml/saml2/core/Protocols.h>
#include <saml/signature/ContentReference.h>
#include <xmltooling/security/SecurityHelper.h>
#include <xmltooling/signature/KeyInfo.h>
#include <xmltooling/signature/Signature.h>
#include <xmltooling/unicode.h>
#include <xmltooling/util/XMLHelper.h>
#include <xsec/dsig/DSIGConstants.hpp>
#include <xsec/enc/XSECCryptoKey.hpp>

using namespace opensaml::saml2;
using namespace opensaml::saml2p;
using namespace xmlsignature;
using boost::property_tree::ptree;
using xmltooling::auto_ptr_XMLCh;

namespace {

struct Configuration {
    bool assertion = true;
    bool response = true;
    bool asked = true;
    bool claims = true;
    const XMLCh* signature = DSIGConstants::s_unicodeStrURIRSA_SHA256;
    const XMLCh* digest = DSIGConstants::s_unicodeStrURISHA256;
};

std::map<std::string, Configuration> configurations() {
    std::map<std::string, Configuration> all;
    all["assertion"].response = false;
    all["response"].assertion = false;
    all["both"] = {};
    all["unsolicited"].asked = false;
    all["no_claims"].claims = false;
    all["sha512"].signature = DSIGConstants::s_unicodeStrURIRSA_SHA512;
    all["sha512"].digest = DSIGConstants::s_unicodeStrURISHA512;
    all["sha1"].signature = DSIGConstants::s_unicodeStrURIRSA_SHA1;
    all["sha1"].digest = DSIGConstants::s_unicodeStrURISHA1;
    return all;
}

// XMLCh in UTF-16 from the scene's UTF-8; OpenSAML copies what it is given.
struct Text {
    XMLCh* value;
    explicit Text(const std::string& utf8) : value(xmltooling::fromUTF8(utf8.c_str())) {}
    ~Text() { delete[] value; }
    operator const XMLCh*() const { return value; }
};

Issuer* issuer(const ptree& scene) {
    Issuer* made = IssuerBuilder::buildIssuer();
    made->setName(Text(scene.get<std::string>("issuer")));
    return made;
}

Subject* subject(const ptree& scene, bool asked, time_t end) {
    NameID* name = NameIDBuilder::buildNameID();
    name->setFormat(NameIDType::EMAIL);
    name->setName(Text(scene.get<std::string>("name_id")));
    SubjectConfirmationData* data = SubjectConfirmationDataBuilder::buildSubjectConfirmationData();
    data->setRecipient(Text(scene.get<std::string>("acs")));
    data->setNotOnOrAfter(end);
    if (asked)
        data->setInResponseTo(Text(scene.get<std::string>("flow")));
    SubjectConfirmation* confirmation = SubjectConfirmationBuilder::buildSubjectConfirmation();
    confirmation->setMethod(SubjectConfirmation::BEARER);
    confirmation->setSubjectConfirmationData(data);
    Subject* made = SubjectBuilder::buildSubject();
    made->setNameID(name);
    made->getSubjectConfirmations().push_back(confirmation);
    return made;
}

Conditions* conditions(const ptree& scene, time_t begin, time_t end) {
    Audience* audience = AudienceBuilder::buildAudience();
    audience->setAudienceURI(Text(scene.get<std::string>("entity_id")));
    AudienceRestriction* restriction = AudienceRestrictionBuilder::buildAudienceRestriction();
    restriction->getAudiences().push_back(audience);
    Conditions* made = ConditionsBuilder::buildConditions();
    made->setNotBefore(begin);
    made->setNotOnOrAfter(end);
    made->getConditions().push_back(restriction);
    return made;
}

AuthnStatement* authentication(time_t now) {
    AuthnContextClassRef* password = AuthnContextClassRefBuilder::buildAuthnContextClassRef();
    password->setReference(auto_ptr_XMLCh("urn:oasis:names:tc:SAML:2.0:ac:classes:Password").get());
    AuthnContext* context = AuthnContextBuilder::buildAuthnContext();
    context->setAuthnContextClassRef(password);
    XMLCh* session = opensaml::SAMLConfig::getConfig().generateIdentifier();
    AuthnStatement* made = AuthnStatementBuilder::buildAuthnStatement();
    made->setAuthnInstant(now);
    made->setSessionIndex(session);
    made->setAuthnContext(context);
    xercesc::XMLString::release(&session);
    return made;
}

AttributeStatement* attributes(const ptree& claims) {
    AttributeStatement* made = AttributeStatementBuilder::buildAttributeStatement();
    for (const auto& [name, values] : claims) {
        Attribute* attribute = AttributeBuilder::buildAttribute();
        attribute->setName(Text(name));
        for (const auto& one : values) {
            AttributeValue* value = AttributeValueBuilder::buildAttributeValue();
            value->setTextContent(Text(one.second.data()));
            attribute->getAttributeValues().push_back(value);
        }
        made->getAttributes().push_back(attribute);
    }
    return made;
}

KeyInfo* key_info(const std::string& pem) {
    std::string body;
    std::istringstream lines(pem);
    for (std::string line; std::getline(lines, line);)
        if (line.find("-----") == std::string::npos)
            body += line;
    X509Certificate* certificate = X509CertificateBuilder::buildX509Certificate();
    certificate->setValue(Text(body));
    X509Data* data = X509DataBuilder::buildX509Data();
    data->getX509Certificates().push_back(certificate);
    KeyInfo* made = KeyInfoBuilder::buildKeyInfo();
    made->getX509Datas().push_back(data);
    return made;
}

Signature* sign(opensaml::SignableObject& object, const Configuration& configuration, const ptree& scene, const std::string& key) {
    Signature* made = SignatureBuilder::buildSignature();
    object.setSignature(made);
    made->setSignatureAlgorithm(configuration.signature);
    made->setSigningKey(xmltooling::SecurityHelper::loadKeyFromFile(key.c_str(), "PEM"));
    made->setKeyInfo(key_info(scene.get<std::string>("certificate")));
    dynamic_cast<opensaml::ContentReference*>(made->getContentReference())->setDigestAlgorithm(configuration.digest);
    return made;
}

std::string respond(const ptree& scene, const Configuration& configuration, const std::string& key) {
    const time_t now = std::time(nullptr), begin = now - 300, end = now + 3600;
    Assertion* assertion = AssertionBuilder::buildAssertion();
    assertion->setIssuer(issuer(scene));
    assertion->setSubject(subject(scene, configuration.asked, end));
    assertion->setConditions(conditions(scene, begin, end));
    assertion->getAuthnStatements().push_back(authentication(now));
    if (configuration.claims)
        assertion->getAttributeStatements().push_back(attributes(scene.get_child("claims")));

    StatusCode* code = StatusCodeBuilder::buildStatusCode();
    code->setValue(StatusCode::SUCCESS);
    Status* status = StatusBuilder::buildStatus();
    status->setStatusCode(code);
    std::unique_ptr<Response> response(ResponseBuilder::buildResponse());
    response->setIssuer(issuer(scene));
    response->setDestination(Text(scene.get<std::string>("acs")));
    if (configuration.asked)
        response->setInResponseTo(Text(scene.get<std::string>("flow")));
    response->setStatus(status);
    response->getAssertions().push_back(assertion);

    std::vector<Signature*> signatures;  // The inner one first: the outer one covers it.
    if (configuration.assertion)
        signatures.push_back(sign(*assertion, configuration, scene, key));
    if (configuration.response)
        signatures.push_back(sign(*response, configuration, scene, key));
    std::string document;
    xmltooling::XMLHelper::serialize(response->marshall(static_cast<xercesc::DOMDocument*>(nullptr), &signatures), document);
    return document;
}

}  // namespace

int main() {
    ptree scene;
    boost::property_tree::read_json(std::cin, scene);
    opensaml::SAMLConfig& opensaml = opensaml::SAMLConfig::getConfig();
    if (!opensaml.init())
        return EXIT_FAILURE;
    // OpenSAML reads keys from files alone.
    std::string key = std::filesystem::temp_directory_path() / "opensaml-key-XXXXXX";
    close(mkstemp(key.data()));
    std::ofstream(key) << scene.get<std::string>("key");
    for (const auto& [name, configuration] : configurations()) {
        const auto folder = std::filesystem::path(scene.get<std::string>("folder")) / "opensaml" / name;
        std::filesystem::create_directories(folder);
        std::ofstream(folder / "response.xml") << respond(scene, configuration, key);
    }
    std::filesystem::remove(key);
    opensaml.term();
    return EXIT_SUCCESS;
}
