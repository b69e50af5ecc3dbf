"""Writes an Exchange-like extension of the schema (a part of it) as LDIF for a throw-away Samba AD.

usage: schema.py FOLDER

lDAPDisplayNames and syntaxes are the real Exchange ones. OIDs: real where a public Microsoft
document gives them, otherwise placeholders under the "oidgen" arc
(1.2.840.113556.1.8000.2554.<guid parts>) that Microsoft documents for people without an OID arc.
"""
import sys, uuid, re
BASEDN = "CN=Schema,CN=Configuration,DC=contoso,DC=lab"
# oidgen-style base from a fixed, random GUID (so that the file is reproducible)
G = uuid.UUID("6f0b7c2e-52b1-4b7a-9d0e-3a6c1f5e8d21").hex
parts = [int(G[0:4],16), int(G[4:8],16), int(G[8:12],16), int(G[12:16],16), int(G[16:20],16), int(G[20:26],16), int(G[26:32],16)]
BASE = "1.2.840.113556.1.8000.2554." + ".".join(map(str, parts))
NS = uuid.UUID("6f0b7c2e-52b1-4b7a-9d0e-3a6c1f5e8d21")
SYN = {"str":("2.5.5.12",64),"int":("2.5.5.9",2),"oct":("2.5.5.10",4),"bool":("2.5.5.8",1),
       "time":("2.5.5.11",24),"dn":("2.5.5.1",127),"i64":("2.5.5.16",65)}
REAL_OID = {  # from learn.microsoft.com "Active Directory schema changes in Exchange Server" / Exchange 2003 SDK
 "msExchCoexistenceSecureMailCertificateThumbprint":"1.2.840.113556.1.4.7000.102.51991",
 "msExchCoexistenceOnPremisesSmartHost":"1.2.840.113556.1.4.7000.102.51992",
 "msExchFedMetadataPollInterval":"1.2.840.113556.1.4.7000.102.51233",
 "msExchServerRole":"1.2.840.113556.1.4.7000.102.15006",
}
REAL_GUID = {"msExchEdgeSyncCredential":"B71519A3-1465-4B55-BDFB-E144BF7A7682","msExchEdgeSyncLease":"061D0240-2AC1-46C9-8252-66E52281F892","msExchEdgeSyncStatus":"050F9910-3408-493E-96E1-CDC47EF18384","msExchServerInternalTLSCert":"D0AD315B-0A1D-42E3-B93C-47B119C2D59A","msExchServerSite":"85CA67B3-A515-41BF-B78F-C32A69A000F6"}
A = []  # (name, syntax, multi)
def a(s, syn, multi=False): A.extend((n, syn, multi) for n in s.split())
# server
a("msExchCurrentServerRoles msExchServerRole msExchMinAdminVersion heuristics", "int")
a("msExchVersion", "i64"); a("msExchProductID type msExchInstallPath msExchDataPath", "str")
a("msExchServerInternalTLSCert msExchEdgeSyncLease msExchEdgeSyncSourceGuid", "oct")
a("msExchEdgeSyncCredential", "oct", True); a("msExchEdgeSyncStatus msExchComponentStates", "str", True)
a("msExchServerSite", "dn")
# auth config / auth servers / partner apps
a("msExchAuthCertificateThumbprint msExchAuthAppSecret", "str", True); a("msExchAuthNextEffectiveDate", "time")
a("msExchAuthApplicationIdentifier msExchAuthRealm msExchAuthIssuerName msExchAuthIssuingUrl msExchAuthAuthorizationUrl msExchAuthMetadataUrl", "str")
a("msExchAuthCertificateData", "oct", True); a("msExchAuthAuthServerType msExchAuthFlags", "int"); a("msExchAuthLinkedAccount","dn")
# receive / send connectors
a("msExchSmtpTLSCertificate msExchSMTPReceiveConnectorFQDN msExchSmtpReceiveAdvertisedDomain msExchSMTPSendConnectorFQDN msExchSmtpSmartHost msExchSmtpSendTlsDomain msExchSmtpOutboundSecurityUserName msExchSmtpOutboundSecurityPassword msExchSmtpReceiveBanner", "str")
a("msExchSmtpReceiveBindings msExchSmtpReceiveRemoteIPRanges msExchSmtpReceiveTlsDomainCapabilities routingList", "str", True)
a("msExchSMTPReceiveInboundSecurityFlag msExchSmtpReceiveProtocolOptions msExchSmtpReceiveProtocolRestrictions msExchSmtpReceiveProtocolLoggingLevel msExchSmtpReceiveRole msExchSMTPExtendedProtectionPolicy msExchSmtpSendFlags msExchSmtpSendPort msExchSmtpSendProtocolLoggingLevel msExchSmtpOutboundSecurityFlag deliveryMechanism", "int")
a("msExchSmtpReceiveEnabled msExchSmtpSendEnabled", "bool"); a("msExchSourceBridgeheadServersDN", "dn", True)
# POP/IMAP
a("msExchPopImapX509CertificateName msExchPopImapBanner", "str"); a("msExchServerBindings msExchSecureBindings msExchPOPIMAPInternalConnectionSettings msExchPOPIMAPExternalConnectionSettings","str",True)
a("msExchPopImapProtocolFlags msExchAuthenticationFlags msExchPopImapFlags", "int")
# virtual directories
a("msExchInternalHostName msExchExternalHostName msExchMetabasePath", "str"); a("msExchInternalAuthenticationMethods msExchExternalAuthenticationMethods msExchRpcHttpFlags msExchManagementSettings", "int")
# federation trust
a("msExchFedOrgPrivCertificate msExchFedOrgNextPrivCertificate msExchFedOrgPrevPrivCertificate msExchFedApplicationId msExchFedApplicationUri msExchFedTokenIssuerURI msExchFedTokenIssuerType msExchFedMetadataEPR", "str")
a("msExchFedOrgCertificate msExchFedOrgNextCertificate msExchFedOrgPrevCertificate msExchFedTokenIssuerCertificate msExchFedTokenIssuerPrevCertificate", "oct"); a("msExchFedMetadataPollInterval","int")
# hybrid
a("msExchCoexistenceSecureMailCertificateThumbprint msExchCoexistenceOnPremisesSmartHost","str"); a("msExchCoexistenceDomains msExchCoexistenceExternalIPAddresses","str",True)
a("msExchCoexistenceServers msExchCoexistenceTransportServers msExchCoexistenceFrontendTransportServers msExchCoexistenceEdgeTransportServers","dn",True); a("msExchCoexistenceFeatureFlags","int")
# accepted domains, settings overrides
a("msExchAcceptedDomainName msExchConfigurationXML","str"); a("msExchAcceptedDomainFlags","int")
seen=set(); A=[x for x in A if not (x[0] in seen or seen.add(x[0]))]
C = [ # name, subClassOf, possSuperiors, mayContain
 ("msExchOrganizationContainer","container",["msExchConfigurationContainer"],"legacyExchangeDN msExchProductID"),
 ("msExchAdminGroupContainer","container",["container"],""),
 ("msExchAdminGroup","container",["msExchAdminGroupContainer"],"legacyExchangeDN"),
 ("msExchServersContainer","container",["container"],""),
 ("msExchExchangeServer","server",["msExchServersContainer","container"],"networkAddress versionNumber serverRole legacyExchangeDN msExchCurrentServerRoles msExchServerRole msExchMinAdminVersion heuristics msExchProductID type msExchInstallPath msExchDataPath msExchServerInternalTLSCert msExchEdgeSyncLease msExchEdgeSyncSourceGuid msExchEdgeSyncCredential msExchEdgeSyncStatus msExchComponentStates msExchServerSite msExchVersion"),
 ("protocolCfgShared","top",["msExchExchangeServer"],""),
 ("protocolCfgSharedServer","protocolCfgShared",["msExchExchangeServer"],"msExchMinAdminVersion msExchVersion"),
 ("msExchContainer","container",["container","protocolCfgSharedServer","msExchExchangeServer"],"msExchVersion msExchMinAdminVersion msExchConfigurationXML"),
 ("msExchProtocolCfgHTTPContainer","container",["protocolCfgSharedServer"],""),
 ("msExchProtocolCfgPOPContainer","container",["protocolCfgSharedServer"],""),
 ("msExchProtocolCfgIMAPContainer","container",["protocolCfgSharedServer"],""),
 ("protocolCfgPOPServer","top",["msExchProtocolCfgPOPContainer"],"msExchPopImapX509CertificateName msExchPopImapBanner msExchServerBindings msExchSecureBindings msExchPOPIMAPInternalConnectionSettings msExchPOPIMAPExternalConnectionSettings msExchPopImapProtocolFlags msExchAuthenticationFlags msExchPopImapFlags"),
 ("protocolCfgIMAPServer","top",["msExchProtocolCfgIMAPContainer"],"msExchPopImapX509CertificateName msExchPopImapBanner msExchServerBindings msExchSecureBindings msExchPOPIMAPInternalConnectionSettings msExchPOPIMAPExternalConnectionSettings msExchPopImapProtocolFlags msExchAuthenticationFlags msExchPopImapFlags"),
 ("msExchSmtpReceiveConnector","top",["container"],"msExchSmtpTLSCertificate msExchSMTPReceiveConnectorFQDN msExchSmtpReceiveAdvertisedDomain msExchSmtpReceiveBanner msExchSmtpReceiveBindings msExchSmtpReceiveRemoteIPRanges msExchSmtpReceiveTlsDomainCapabilities msExchSMTPReceiveInboundSecurityFlag msExchSmtpReceiveProtocolOptions msExchSmtpReceiveProtocolRestrictions msExchSmtpReceiveProtocolLoggingLevel msExchSmtpReceiveRole msExchSMTPExtendedProtectionPolicy msExchSmtpReceiveEnabled"),
 ("msExchConnector","top",["container"],"msExchSourceBridgeheadServersDN"),
 ("mailGateway","msExchConnector",["container"],"routingList deliveryMechanism msExchSourceBridgeheadServersDN"),
 ("msExchRoutingSMTPConnector","mailGateway",["container"],"msExchSmtpTLSCertificate msExchSMTPSendConnectorFQDN msExchSmtpSmartHost msExchSmtpSendTlsDomain msExchSmtpSendFlags msExchSmtpSendPort msExchSmtpSendProtocolLoggingLevel msExchSmtpOutboundSecurityFlag msExchSmtpSendEnabled msExchSmtpOutboundSecurityUserName msExchSmtpOutboundSecurityPassword"),
 ("msExchVirtualDirectory","top",["container"],"msExchInternalHostName msExchExternalHostName msExchMetabasePath msExchInternalAuthenticationMethods msExchExternalAuthenticationMethods msExchManagementSettings"),
 *[(n,"msExchVirtualDirectory",["container"],"") for n in "msExchOWAVirtualDirectory msExchECPVirtualDirectory msExchWebServicesVirtualDirectory msExchMobileVirtualDirectory msExchOABVirtualDirectory msExchAutodiscoverVirtualDirectory msExchMapiVirtualDirectory msExchPowerShellVirtualDirectory".split()],
 ("msExchRpcHttpVirtualDirectory","msExchVirtualDirectory",["container"],"msExchRpcHttpFlags"),
 ("msExchAuthAuthConfig","msExchContainer",["container"],"msExchAuthCertificateThumbprint msExchAuthNextEffectiveDate msExchAuthApplicationIdentifier msExchAuthRealm"),
 ("msExchAuthAuthServer","top",["container"],"msExchAuthIssuerName msExchAuthIssuingUrl msExchAuthAuthorizationUrl msExchAuthMetadataUrl msExchAuthRealm msExchAuthApplicationIdentifier msExchAuthCertificateData msExchAuthAppSecret msExchAuthAuthServerType msExchAuthFlags"),
 ("msExchAuthPartnerApplication","top",["container"],"msExchAuthApplicationIdentifier msExchAuthRealm msExchAuthMetadataUrl msExchAuthCertificateData msExchAuthFlags msExchAuthLinkedAccount msExchAuthIssuerName"),
 ("msExchFedTrust","top",["container"],"msExchFedOrgPrivCertificate msExchFedOrgNextPrivCertificate msExchFedOrgPrevPrivCertificate msExchFedOrgCertificate msExchFedOrgNextCertificate msExchFedOrgPrevCertificate msExchFedTokenIssuerCertificate msExchFedTokenIssuerPrevCertificate msExchFedApplicationId msExchFedApplicationUri msExchFedTokenIssuerURI msExchFedTokenIssuerType msExchFedMetadataEPR msExchFedMetadataPollInterval"),
 ("msExchCoexistenceRelationship","top",["container"],"msExchCoexistenceSecureMailCertificateThumbprint msExchCoexistenceOnPremisesSmartHost msExchCoexistenceDomains msExchCoexistenceExternalIPAddresses msExchCoexistenceServers msExchCoexistenceTransportServers msExchCoexistenceFrontendTransportServers msExchCoexistenceEdgeTransportServers msExchCoexistenceFeatureFlags msExchManagementSettings"),
 ("msExchAcceptedDomain","top",["container"],"msExchAcceptedDomainName msExchAcceptedDomainFlags"),
 ("msExchConfigSettings","top",["container"],"msExchConfigurationXML msExchVersion"),
]
def cn(n):  # msExchFooBar -> ms-Exch-Foo-Bar (good enough)
    s=re.sub(r'(?<=[a-z0-9])(?=[A-Z])','-',n); s=re.sub(r'(?<=[A-Z])(?=[A-Z][a-z])','-',s); return s
import base64
def guid(n):
    g = uuid.UUID(REAL_GUID[n]) if n in REAL_GUID else uuid.uuid5(NS,n)
    return base64.b64encode(g.bytes_le).decode()
def split():
    folder=sys.argv[1]; open(f"{folder}/schema-attributes.ldif","w").write("\n".join(attrs)); open(f"{folder}/schema-classes.ldif","w").write("\n".join(classes))
attrs=[]; classes=[]
for i,(n,syn,multi) in enumerate(A,1):
    s,om=SYN[syn]; oid=REAL_OID.get(n, f"{BASE}.1.{i}")
    e=[f"dn: CN={cn(n)},{BASEDN}","changetype: add","objectClass: attributeSchema",f"cn: {cn(n)}",f"lDAPDisplayName: {n}",f"adminDisplayName: {cn(n)}",f"attributeID: {oid}",
       f"attributeSyntax: {s}",f"oMSyntax: {om}",f"isSingleValued: {'FALSE' if multi else 'TRUE'}",f"schemaIDGUID:: {guid(n)}","searchFlags: 0","showInAdvancedViewOnly: TRUE"]
    if syn=="dn": e.append("oMObjectClass:: KwwCh3McAIVK")
    attrs.append("\n".join(e)+"\n")
REFRESH="dn:\nchangetype: modify\nadd: schemaUpdateNow\nschemaUpdateNow: 1\n-\n"
attrs.append(REFRESH)
for i,(n,sup,poss,may) in enumerate(C,1):
    e=[f"dn: CN={cn(n)},{BASEDN}","changetype: add","objectClass: classSchema",f"cn: {cn(n)}",f"lDAPDisplayName: {n}",f"adminDisplayName: {cn(n)}",f"governsID: {BASE}.2.{i}",
       f"subClassOf: {sup}","objectClassCategory: 1","rDNAttID: cn",f"schemaIDGUID:: {guid(n)}","showInAdvancedViewOnly: TRUE","defaultHidingValue: TRUE","systemOnly: FALSE",
       f"defaultObjectCategory: CN={cn(n)},{BASEDN}","defaultSecurityDescriptor: D:(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;DA)(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;SY)(A;;RPLCLORC;;;AU)"]
    e+= [f"possSuperiors: {p}" for p in poss]; e+=[f"mayContain: {m}" for m in may.split()]
    classes.append("\n".join(e)+"\n"); classes.append(REFRESH)
split(); print(len(A),"attributes",len(C),"classes; placeholder arc",BASE)
